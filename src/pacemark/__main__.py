"""``python -m pacemark`` and the ``pacemark`` script."""

import gc
import os
import sys

# polars' allocator keeps memory it has done with marked as reclaimable, which the system counts as used until
# it is short of memory: it is to give it back, but not so soon that it must ask for it again. And it has
# several arenas, each with memory of its own that others have to ask the system for: with one, 5 million rows
# (`benchmarks/digest.py`) cost half the faults.
_ALLOCATOR = "background_thread:true,dirty_decay_ms:500,muzzy_decay_ms:0,narenas:1"
# No algebra here is large, and numpy's threads for it spin.
_BLAS_THREADS = "1"


def main() -> None:
    """Run the command line. Ctrl-C while it is still being loaded ends it in one line too."""
    os.environ.setdefault("_RJEM_MALLOC_CONF", _ALLOCATOR)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", _BLAS_THREADS)
    gc.disable()  # what is loaded stays: to look for garbage in it takes a fifth of the time
    try:
        from pacemark.cli import main as run
    except KeyboardInterrupt:
        sys.exit("pacemark: interrupted")
    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
