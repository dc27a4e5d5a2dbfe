"""What a journey does over sockets: the API as a person's script would use it, and the simulator's control door."""

import io
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pyzipper
import requests

from config.stack import BASE_DIR, Stack

WAIT = 120.0
RUNS = "/cases/{}/hunts/runs"
PACKS = "/cases/{}/hunts/packs"


def ended(row: dict[str, Any]) -> bool:
    """Whether a run, an import or a report is final."""
    return row["state"] in ("done", "failed", "cancelled")


def listed(page: dict[str, Any]) -> bool:
    """Whether a list has something in it."""
    return bool(page["items"])


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A management command that may fail: its exit code and what it said."""
    line = [sys.executable, str(BASE_DIR / "manage.py"), *arguments]
    return subprocess.run(line, env=stack.environment, cwd=BASE_DIR, capture_output=True, text=True, check=False)


def _unpacked(data: bytes) -> bytes:
    """The one file of the encrypted zip in which an exhibit left that could do harm."""
    with pyzipper.AESZipFile(io.BytesIO(data)) as archive:
        (name,) = archive.namelist()
        found: bytes = archive.read(name, pwd=b"infected")
    return found


class Api:
    """API v1 with the token of one of the demo's people."""

    def __init__(self, stack: Stack, username: str) -> None:
        self.base = f"http://127.0.0.1:{stack.port}/api/v1"
        self.session = requests.Session()
        self.session.trust_env = False
        token = stack.manage("create_api_token", username).strip().splitlines()[-1].split()[-1]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, expect: int | tuple[int, ...] = (200, 201, 202, 204), **more: Any) -> Any:
        reply = self.session.request(method, self.base + path, timeout=60, **more)
        expected = (expect,) if isinstance(expect, int) else expect
        assert reply.status_code in expected, f"{method} {path}: {reply.status_code} {reply.text[:500]}"
        if "json" in reply.headers.get("Content-Type", ""):
            return reply.json()
        return _unpacked(reply.content) if reply.headers.get("X-IRCase-Packed") else reply.content

    def get(self, path: str, **more: Any) -> Any:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return self.call("POST", path, json=body if body is not None else {}, **more)

    def until(self, path: str, done: Callable[[Any], bool], timeout: float = WAIT) -> Any:
        """Ask until `done` says so. A server that is being restarted is asked again."""
        end = time.monotonic() + timeout
        while True:
            try:
                answer = self.get(path)
                if done(answer):
                    return answer
            except requests.RequestException as error:
                answer = error
            assert time.monotonic() < end, f"{path} did not get there in {timeout:.0f} s: {str(answer)[:800]}"
            time.sleep(0.3)

    def upload(self, reference: str, name: str, content: bytes, *, read: bool = True) -> dict[str, Any]:
        """Seal one file; the exhibit."""
        path, answers = f"/cases/{reference}/evidence", {"read": str(read).lower()}
        sealed: dict[str, Any] = self.call("POST", path, files={"file": (name, content)}, data=answers)
        assert not sealed["problems"], sealed
        item: dict[str, Any] = sealed["sealed"][0]
        return item

    def log(self, reference: str) -> list[dict[str, Any]]:
        """The case's log, oldest first."""
        entries: list[dict[str, Any]] = self.get(f"/cases/{reference}/log", params={"limit": 1000})["items"]
        return entries


class Pages:
    """The pages as a browser without script asks for them, signed in."""

    def __init__(self, stack: Stack, username: str, password: str) -> None:
        self.base = f"http://127.0.0.1:{stack.port}"
        self.session = requests.Session()
        self.session.trust_env = False
        form = self.session.get(f"{self.base}/sign-in/", timeout=60)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
        assert token, form.text[:500]
        answers = {"username": username, "password": password, "csrfmiddlewaretoken": token.group(1)}
        reply = self.session.post(f"{self.base}/sign-in/", data=answers, timeout=60, allow_redirects=False)
        assert reply.status_code == 302, reply.text[:500]

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.base + path, timeout=60, allow_redirects=False)


class Tenant:
    """The simulator's control door."""

    def __init__(self, stack: Stack) -> None:
        self.base = f"https://127.0.0.1:{stack.simulator_port}/_sim"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(stack.simulator_state / "ca.pem")

    def fault(self, match: str, fault: str, times: int = 1, **more: Any) -> None:
        body = {"match": match, "fault": fault, "times": times, **more}
        self.session.post(f"{self.base}/faults", json=body, timeout=10).raise_for_status()

    def clear_faults(self) -> None:
        self.session.delete(f"{self.base}/faults", timeout=10).raise_for_status()

    def quotas(self) -> dict[str, Any]:
        """The most calls in any window of each quota, the refused ones, the most sessions at once."""
        peaks: dict[str, Any] = self.session.get(f"{self.base}/quotas", timeout=10).json()
        return peaks

    def forget(self) -> None:
        """The recorded requests and the quota counters."""
        self.session.delete(f"{self.base}/requests", timeout=10).raise_for_status()

    def advance(self, seconds: float) -> None:
        self.session.post(f"{self.base}/clock", json={"advance": seconds}, timeout=10).raise_for_status()

    def actions(self) -> list[dict[str, Any]]:
        """Every machine action that was ever made, also those that Defender has lost."""
        listed: list[dict[str, Any]] = self.session.get(f"{self.base}/actions", timeout=10).json()["actions"]
        return listed

    def devices(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.session.get(f"{self.base}/state", timeout=10).json()["devices"]
        return listed

    def requests(self, part: str = "") -> list[dict[str, Any]]:
        answer = self.session.get(f"{self.base}/requests", timeout=10).json()
        listed = answer["requests"] if isinstance(answer, dict) else answer
        return [entry for entry in listed if part in str(entry.get("path", ""))]
