"""Rendered pages on a loopback port, under the product's Content Security Policy."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import django_htmx

ROOT = Path(__file__).resolve().parents[2]
HTMX = "django_htmx"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)


def static_file(path: str) -> Path:
    """Where a URL below /static/ lies on disk."""
    relative = path.removeprefix("/static/")
    if relative.startswith(HTMX):
        return Path(django_htmx.__file__).parent / "static" / relative
    return ROOT / "frontend" / "dist" / relative


@contextmanager
def serving(pages: dict[str, tuple[int, str]]) -> Iterator[str]:
    """Serve `pages` (path: status and HTML; for 302 the target) and the static files. Yields the base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            status, content, kind = 404, b"no such page", "text/plain"
            if path in pages:
                status, html = pages[path]
                content, kind = html.encode(), "text/html; charset=utf-8"
            elif path.startswith("/static/") and static_file(path).is_file():
                status, content = 200, static_file(path).read_bytes()
                kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            self.send_response(status)
            if status == 302:
                self.send_header("Location", content.decode())
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
