"""`python -m handgrad`."""

import sys

from handgrad.cli import main

sys.exit(main())
