"""`make demo`: the whole of IRCase on this machine, with a simulated tenant, by one command."""

import hashlib
import json
import os
import secrets
import signal
import sys
import threading
from pathlib import Path

from config.stack import BASE_DIR, Stack, StackError, free_port, port_is_free

PEOPLE = (("alice", "lead"), ("bob", "analyst"), ("carol", "manager"), ("ada", "administrator"))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def passwords(root: Path) -> dict[str, str]:
    """The sign-ins of this demo, made once: even on the loopback nobody should be able to guess them."""
    path = root / "people.json"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(json.dumps({name: secrets.token_urlsafe(9) for name, _ in PEOPLE}), encoding="utf-8")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def simulator_port(root: Path) -> int:
    """The same port at every start, because the connection in the database names it."""
    path = root / "simulator-port"
    if path.exists() and port_is_free(int(path.read_text(encoding="ascii"))):
        return int(path.read_text(encoding="ascii"))
    port = free_port()
    path.write_text(str(port), encoding="ascii")
    return port


def limits_at(speed: float) -> dict[str, float]:
    """The connection's limits and poll times for a tenant whose clock runs `speed` times as fast: its minutes are
    shorter, so it takes more calls in one of ours; Defender's are told as such."""
    return {
        "hunting_per_minute": int(45 * speed),
        "hunting_per_hour": int(1500 * speed),
        "minute_seconds": 60 / speed,
        "action_confirm_seconds": max(60 / speed, 1),
        "live_response_poll_seconds": max(10 / speed, 1),
        "live_response_offline_seconds": max(30 / speed, 2),
        "live_response_busy_seconds": max(30 / speed, 2),
        "machine_actions_seconds": max(60 / speed, 2),
    }


def start(stack: Stack) -> dict[str, str]:
    """Bring `stack` up with people and a connection to its simulator; their passwords by user name."""
    stack.prepare(say)
    people = passwords(stack.root)
    say("Starting Redis, the simulated tenant, the web server and the worker")
    stack.start()
    stack.wait_for("the simulated tenant", stack.simulator_is_ready, timeout=180)
    ready, names = stack.simulator_state / "ready.json", stack.root / "people.json"
    limits = json.dumps(limits_at(stack.speed))
    tenant = {key: value for key, value in json.loads(ready.read_text(encoding="utf-8")).items() if key != "pid"}
    seed = hashlib.sha256(f"{tenant}{people}{limits}".encode()).hexdigest()
    if stack.once("seeded", seed):
        stack.manage("seed_demo", "--tenant", str(ready), "--people", str(names), "--limits", limits)
        stack.keep("seeded", seed)
    stack.wait_for("the web server and the worker", stack.web_is_ready)
    return people


def main() -> int:
    port = int(os.environ.get("PORT", "8000"))
    root = Path(os.environ.get("IRCASE_DEMO_DIR", str(BASE_DIR / ".demo"))).resolve()
    if not port_is_free(port):
        say(f"Port {port} is taken. Choose another: make demo PORT={port + 1}")
        return 1
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    stack = Stack(root=root, port=port, simulator_port=simulator_port(root), speed=float(os.environ.get("SPEED", "10")))
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    try:
        people = start(stack)
        say(
            f"IRCase is ready: {stack.url}  analyst: bob / {people['bob']}  lead: alice / {people['alice']}  "
            f"manager: carol / {people['carol']}  administrator: ada / {people['ada']}  (Ctrl-C stops it)"
        )
        while stack.is_running and not ended.wait(0.5):
            pass
        if not ended.is_set():
            say(f"The supervisor ended. Its log: {stack.logs / 'supervisord.log'}")
        return 0 if ended.is_set() else 1
    except StackError as error:
        say(str(error))
        return 1
    finally:
        stack.stop()


if __name__ == "__main__":
    sys.exit(main())
