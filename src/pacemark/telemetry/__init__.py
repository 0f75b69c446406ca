"""What the system did in a run's own window: Prometheus, logs, annotations, direct probes."""
