"""Install Azurite for the tests: `python -m tests.azurite.setup`.

Apart from `package.json` of the front end: `make demo` needs none of its 450 packages. What it installs stays in
`tests/azurite/node_modules`.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from frontend import setup

HERE = Path(__file__).resolve().parent
PROGRAM = HERE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
STAMP = HERE / "node_modules" / ".ircase-stamp"
INPUTS = [HERE / "package.json", HERE / "package-lock.json"]


def digest() -> str:
    """SHA-256 of what decides what is installed."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in INPUTS)).hexdigest()


def is_installed() -> bool:
    return PROGRAM.exists() and STAMP.exists() and STAMP.read_text(encoding="ascii") == digest()


def main() -> int:
    if is_installed():
        return 0
    node = setup.find_node()
    command = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=HERE, env=setup.node_environment(os.environ, node), check=False)
    if done.returncode == 0:
        STAMP.write_text(digest(), encoding="ascii")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
