"""How long many hunts take beside what the tenant's quota allows at best: `python -m bench.quota`.

The tenant's minute is a real one (its quota, not this machine, is to hold the runs up), so 300 runs take over six
minutes. Prints the seconds and judges nothing; a busy machine makes them longer.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from config import demo
from tests.journeys.client import Api
from tests.journeys.conftest import make_stack
from tests.journeys.test_quota import best_seconds, queue_many


def main() -> int:
    """Run it in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300, help="hunts of one kind that cannot be packed")
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="ircase-quota-"))
    stack = make_stack(root, "--devices", "20", "--days", "2", "--connections", "20")
    stack.speed = 1.0
    try:
        demo.start(stack)
        found = queue_many(stack, Api(stack, "bob"), given.runs)
    finally:
        stack.stop()
        shutil.rmtree(root, ignore_errors=True)
    best = best_seconds(given.runs + 1)
    sys.stdout.write(
        f"{given.runs} runs ended after {found.seconds:.0f} s; the quota allows {best:.0f} s at best"
        f" ({found.seconds / best:.2f} times). Refused by the tenant: {found.refused}."
        f" Calls before the urgent one: {found.ahead}; it waited {found.waited}.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
