"""Load from several machines: what runs on a worker, and the controller's side of it."""
