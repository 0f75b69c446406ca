#!/usr/bin/env python3
"""Compare JMeter results: ``BASE.jtl CURRENT.jtl --threshold-p95=10% --threshold-error=0.5%``.

The same as ``pacemark compare``, and exits as it does: 1 on a regression.
"""

import sys

from pacemark.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "compare")
    main()
