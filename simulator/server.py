"""The https server: threads, a TLS handshake that cannot block others, a clean end on SIGTERM."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import ssl
import struct
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from simulator.app import Application
from simulator.certificates import server_context
from simulator.core import Simulator, build
from simulator.kusto.access import CASES, TELEMETRY
from simulator.options import Options
from simulator.stamping import publish

logger = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0
IDLE_SECONDS = 75.0


class QuietHandler(WSGIRequestHandler):
    """Keeps connections open, logs nothing by itself, and cuts a connection with RST where a fault asks for it."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS

    def log(self, type: str, message: str, *args: Any) -> None:
        """Requests are logged by the application."""

    def setup(self) -> None:
        """Shake hands in the connection's own thread."""
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(HANDSHAKE_SECONDS)
            self.request.do_handshake()
        super().setup()

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """End the connection at once; for faults, so that the client sees a reset."""
        self.close_connection = True
        if "fault" in str(error):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())


class SimulatorServer(ThreadedWSGIServer):
    """A threaded server that wraps each connection in TLS after it was accepted."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, app: Application, context: ssl.SSLContext) -> None:
        super().__init__(host, port, app, handler=QuietHandler)
        self.ssl_context = self._context = context

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept without shaking hands: a client that says nothing must not hold up the others."""
        connection, address = self.socket.accept()
        wrapped = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return wrapped, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broken connection is the client's business."""
        logger.debug("simulator.connection", exc_info=True)


def ready_document(simulator: Simulator, base_url: str) -> dict[str, Any]:
    """What a client needs to connect; written to ready.json."""
    tenant = simulator.tenant
    return {
        "base_url": base_url,
        "tenant_id": tenant.id,
        "workspace_id": tenant.workspace,
        "other_workspace_id": tenant.other_workspace,
        "kusto_database": TELEMETRY,
        "kusto_push_database": CASES,
        "ca": str((simulator.options.state / "ca.pem").resolve()),
        "tsa_ca": str(publish(simulator.options.state)),
        "apps": {app.name: {"client_id": app.client_id, "client_secret": app.secret} for app in tenant.apps},
        "speed": simulator.clock.speed,
        "patient_zero": simulator.story.world.patient_zero.name,
        "pid": os.getpid(),
    }


def _write_ready(path: Path, document: dict[str, Any]) -> None:
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
    draft.replace(path)


def serve(options: Options) -> int:
    """Run until SIGTERM or SIGINT; returns the exit status."""
    mark = options.state / "ready.json"
    mark.unlink(missing_ok=True)
    simulator = build(options, note=lambda line: print_line(line, sys.stderr))
    try:
        server = SimulatorServer(options.host, options.port, Application(simulator), server_context(options.state))
    except OSError as error:
        print_line(f"The simulator cannot listen on {options.host}:{options.port}: {error.strerror}", sys.stderr)
        simulator.state.close()
        return 1

    def stop(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    base_url = f"https://localhost:{server.port}"
    _write_ready(mark, ready_document(simulator, base_url))
    rows = sum(simulator.story.rows.values())
    print_line(
        f"The simulator is ready: {base_url} (tenant {simulator.tenant.id}, "
        f"{len(simulator.story.world.devices)} devices, {rows:,} rows)",
        sys.stdout,
    )
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        mark.unlink(missing_ok=True)
        server.server_close()
        simulator.state.close()
    return 0


def print_line(text: str, stream: Any) -> None:
    """A line for whoever started the process; a closed pipe does not stop the simulator."""
    try:
        stream.write(text + "\n")
        stream.flush()
    except (OSError, ValueError):
        logger.info("simulator.note", extra={"note": text})
