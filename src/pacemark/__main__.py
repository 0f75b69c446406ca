"""``python -m pacemark`` and the ``pacemark`` script."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C while it is still being loaded ends it in one line too."""
    try:
        from pacemark.cli import main as run
    except KeyboardInterrupt:
        sys.exit("pacemark: interrupted")
    run()


if __name__ == "__main__":
    main()
