"""A programmable HTTP(S) server on loopback, a certificate authority of its own, and a sign-in service."""

import base64
import datetime
import ipaddress
import json
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from msapi.endpoint import ApiLimits, Endpoint, Secret

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
SECRET = "s3cret~value.of-the-app"


@dataclass
class Request:
    """What the server was asked."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(self.body.decode()).items()}


@dataclass
class Answer:
    """What the server says. `cut` sends only so many bytes of the body under the full length; `drop` says nothing."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    drop: bool = False
    chunked: bool = False


Route = Callable[[Request], Answer]


def answer(document: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON answer; `Retry_After=` and the like become headers."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json", **named})


def error(status: int, code: str, message: str = "", **headers: str) -> Answer:
    return answer({"error": {"code": code, "message": message}}, status, **headers)


class Server:
    """Routes are tried in the order of their addition, newest first; a path matches by prefix, in any casing."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self._routes: list[tuple[str, str, Route]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.scheme = "https" if context else "http"
        if context:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"{self.scheme}://localhost:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def on(self, method: str, path: str, *answers: Answer | Route) -> None:
        """Answer in turn, the last one for ever."""
        queue = list(answers)

        def route(request: Request) -> Answer:
            item = queue.pop(0) if len(queue) > 1 else queue[0]
            return item if isinstance(item, Answer) else item(request)

        self._routes.insert(0, (method, path.lower(), route))

    def seen(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path.lower().startswith(path.lower())]

    def reset(self) -> None:
        self.requests.clear()
        self._routes.clear()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def find(self, request: Request) -> Answer:
        for method, path, route in list(self._routes):
            if method == request.method and request.path.lower().startswith(path):
                return route(request)
        return error(404, "NotFound", f"no route for {request.method} {request.path}")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body leave in two writes; without this each answer waits 40 ms for an acknowledgement.
            disable_nagle_algorithm = True

            def log_message(self, *details: object) -> None:
                pass

            def handle(self) -> None:
                with suppress(OSError):
                    super().handle()

            def serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                parts = urlsplit(self.path)
                query = parse_qs(parts.query)
                body = self.rfile.read(length)
                request = Request(self.command, parts.path, query, dict(self.headers.items()), body)
                server.requests.append(request)
                self.reply(server.find(request))

            def reply(self, found: Answer) -> None:
                if found.drop:
                    self.close_connection = True
                    return
                self.send_response(found.status)
                for name, value in found.headers.items():
                    self.send_header(name, value)
                if found.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                else:
                    self.send_header("Content-Length", str(len(found.body)))
                self.end_headers()
                self.pour(found)

            def pour(self, found: Answer) -> None:
                body = found.body if found.cut is None else found.body[: found.cut]
                for start in range(0, len(body), 8192):
                    piece = body[start : start + 8192]
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if found.chunked else piece)
                if found.chunked and found.cut is None:
                    self.wfile.write(b"0\r\n\r\n")
                self.close_connection = found.cut is not None

            do_GET = do_POST = do_PATCH = do_DELETE = serve

        return Handler


def make_authority() -> tuple[ssl.SSLContext, str]:
    """A server context for localhost and the PEM text of the authority that signed it."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])

    def builder(name: x509.Name, public: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
        )

    authority = (
        builder(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), key.public_key())
        .add_extension(names, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder) / "chain.pem"
        plain = serialization.NoEncryption()
        pem = serialization.Encoding.PEM
        chain.write_bytes(
            certificate.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
        )
        context.load_cert_chain(chain)
    return context, authority.public_bytes(pem).decode()


def jwt(roles: list[str], serial: int = 0) -> str:
    """A token as Entra's look, unsigned."""

    def part(document: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    return ".".join((part({"alg": "none"}), part({"roles": roles, "serial": serial}), "signature"))


def sign_in(server: Server, roles: Mapping[str, list[str]] | None = None, **reply: Any) -> None:
    """Serve discovery and the token endpoint; each token issued is another. `roles` by a part of the scope."""
    authority = f"{server.url}/{TENANT}"
    document = {
        "issuer": f"{authority}/v2.0",
        "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
        "token_endpoint": f"{authority}/oauth2/v2.0/token",
    }
    issued: list[str] = []

    def token(request: Request) -> Answer:
        scope = request.form.get("scope", "")
        granted = next((names for part, names in (roles or {}).items() if part in scope), [])
        issued.append(jwt(granted, len(issued)))
        return answer({"token_type": "Bearer", "expires_in": 3599, "access_token": issued[-1], **reply})

    server.on("GET", f"/{TENANT}/v2.0/.well-known/openid-configuration", answer(document))
    server.on("POST", f"/{TENANT}/oauth2/v2.0/token", token)


def endpoint_for(server: Server, ca_pem: str | None, **changes: Any) -> Endpoint:
    """An endpoint whose every service is `server`."""
    limits = ApiLimits(connect_timeout=2, read_timeout=5, hunting_timeout=5, backoff=0.0, reply_deadline=20)
    settings: dict[str, Any] = {
        "login_url": server.url,
        "graph_url": f"{server.url}/graph",
        "defender_url": f"{server.url}/mde",
        "loganalytics_url": server.url,
        "ca_pem": ca_pem,
        "blob_hosts": ("localhost",),
        "limits": limits,
    }
    return Endpoint(TENANT, CLIENT, Secret(SECRET), **{**settings, **changes})
