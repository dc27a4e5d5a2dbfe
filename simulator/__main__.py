"""`python -m simulator`: see docs/simulator.md."""

import logging
import sys

from simulator.options import parse_options
from simulator.server import serve

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    sys.exit(serve(parse_options()))
