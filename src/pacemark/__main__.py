"""``python -m pacemark`` and the ``pacemark`` script."""

import os
import sys

# polars' allocator keeps memory it has done with marked as reclaimable, which the system counts as used until
# it is short of memory. Given back after half a second, the peak of 20 million rows with a median of 150 ms
# (`benchmarks/digest.py`) is 432 MB and not 500, that of 5 million 319 and not 364.
_ALLOCATOR = "background_thread:true,dirty_decay_ms:500,muzzy_decay_ms:0"


def main() -> None:
    """Run the command line. Ctrl-C while it is still being loaded ends it in one line too."""
    os.environ.setdefault("_RJEM_MALLOC_CONF", _ALLOCATOR)
    try:
        from pacemark.cli import main as run
    except KeyboardInterrupt:
        sys.exit("pacemark: interrupted")
    run()


if __name__ == "__main__":
    main()
