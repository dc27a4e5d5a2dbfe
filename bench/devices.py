"""How long a file of each of a hundred devices takes beside what the tenant's quota allows: `python -m bench.devices`.

Prints the seconds and judges nothing; a busy machine makes them longer. `--speed 1` is Microsoft's own clock.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from config import demo
from tests.journeys.test_many import DEVICES, SPEED, collect, exceeded, make_fleet_stack


def main() -> int:
    """Run it in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", type=float, default=SPEED, help="how much faster the tenant's clock runs")
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="ircase-many-"))
    stack = make_fleet_stack(root, given.speed)
    try:
        demo.start(stack)
        found = collect(stack)
    finally:
        stack.stop()
        shutil.rmtree(root, ignore_errors=True)
    sys.stdout.write(
        f"{DEVICES} devices ended after {found.seconds:.1f} s; the quota allows {found.best:.1f} s at best"
        f" ({found.seconds / found.best:.3f} times). States: {dict(found.states)}. Sessions at once: {found.sessions}."
        f" Over a quota: {exceeded(found) or 'never'}; refused by the tenant: {found.refused or 'none'}.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
