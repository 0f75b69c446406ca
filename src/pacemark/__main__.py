"""``python -m pacemark`` and the ``pacemark`` script."""

import os
import sys

# polars' allocator keeps memory it has done with marked as reclaimable, which the system counts as used until
# it is short of memory. Given back after a tenth of a second, the peak of 20 million rows with a median of
# 150 ms (`benchmarks/digest.py`) is 421 MB, after half a second 455, and neither takes longer.
_ALLOCATOR = "background_thread:true,dirty_decay_ms:100,muzzy_decay_ms:0"


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
