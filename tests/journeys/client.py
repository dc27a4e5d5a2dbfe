"""What a journey does over sockets: the API as a person's script would use it, and the simulator's control door."""

import time
from collections.abc import Callable
from typing import Any

import requests

from config.stack import Stack

WAIT = 120.0


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
        return reply.json() if "json" in reply.headers.get("Content-Type", "") else reply.content

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
            except requests.ConnectionError:
                answer = None
            assert time.monotonic() < end, f"{path} did not get there in {timeout:.0f} s: {str(answer)[:800]}"
            time.sleep(0.3)


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

    def requests(self, part: str = "") -> list[dict[str, Any]]:
        answer = self.session.get(f"{self.base}/requests", timeout=10).json()
        listed = answer["requests"] if isinstance(answer, dict) else answer
        return [entry for entry in listed if part in str(entry.get("path", ""))]
