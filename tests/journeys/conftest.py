"""The real stack in a temporary folder: simulator, Redis, worker and web over sockets, by the code of `make demo`."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from playwright.sync_api import Browser

from config import demo
from config.stack import Stack, free_port
from tests.journeys.client import Api, Tenant
from tests.journeys.film import Studio, chromium_browser, film_folder

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Quick enough for a test, slow enough that a busy machine does not look dead.
SETTINGS = {
    "IRCASE_SWEEP_SECONDS": "1",
    "IRCASE_HEARTBEAT_SECONDS": "1",
    "IRCASE_STALE_SECONDS": "8",
    "IRCASE_LOG_LEVEL": "INFO",
    # As on many machines: this variable must not win over the connection's own certificate authority.
    "REQUESTS_CA_BUNDLE": certifi.where(),
}
SPEED = 60.0


def make_stack(root: Path, *arguments: str) -> Stack:
    return Stack(
        root=root,
        port=free_port(),
        simulator_port=free_port(),
        speed=SPEED,
        simulator_arguments=arguments,
        settings=SETTINGS,
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of a module also starts its stack; on a busy machine that alone takes minutes."""
    for item in items:
        if "journeys" in item.path.parts and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """One stack for all journeys that do not break it for good; its people are demo.PEOPLE."""
    root = Path(tempfile.mkdtemp(prefix="ircase-journey-"))
    stack = make_stack(root, "--devices", "40", "--days", "7")
    try:
        demo.start(stack)
        yield stack
    finally:
        stack.stop()
        if not os.environ.get("IRCASE_KEEP_JOURNEYS"):
            shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def analyst(stack: Stack) -> Api:
    return Api(stack, "bob")


@pytest.fixture(scope="session")
def lead(stack: Stack) -> Api:
    return Api(stack, "alice")


@pytest.fixture
def tenant(stack: Stack) -> Iterator[Tenant]:
    """The simulator's control door; faults are gone after the test."""
    door = Tenant(stack)
    yield door
    door.clear_faults()


@pytest.fixture(scope="session")
def chromium() -> str:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing: .ci/run installs it.")
        pytest.skip("Chromium is not installed (Debian: apt install chromium).")
    return CHROMIUM


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with chromium_browser(chromium) as browser:
        yield browser


@pytest.fixture
def studio(stack: Stack, browser: Browser, tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(stack, browser, film_folder(tmp_path))
    yield studio
    if faults := studio.close():
        pytest.fail("\n".join(faults), pytrace=False)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
