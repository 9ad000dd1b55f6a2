"""`python -m tests.docs [WORD…]`: do what the pages of the documentation tell a reader to type; `make docs-test` does all of it."""

import sys

from tests.docs.scenarios import main

sys.exit(main(sys.argv[1:]))
