"""What the tests of notifications share: a mail server that keeps what it takes, and people who can be told."""

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from django.conf import settings
from django.test import override_settings

from ircase.models import NoticeSettings, User


class MailServer(socketserver.ThreadingTCPServer):
    """As much of RFC 5321 as a client of the standard library needs. `refuse`: how many more messages it turns away."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.messages: list[EmailMessage] = []
        self.receivers: list[str] = []
        self.refuse = 0
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Talk(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split(" ")[0].upper()
            if word == "RCPT":
                self.server.receivers.append(line.partition("<")[2].partition(">")[0])
            if word == "DATA":
                self._take()
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _take(self) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        if self.server.refuse:
            self.server.refuse -= 1
            self._say("451 not now")
            return
        message: Any = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        self.server.messages.append(message)
        self._say("250 taken")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A server that the product's own SMTP settings lead to."""
    server = MailServer()
    real = {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": server.port,
        "EMAIL_USE_TLS": False,
        "EMAIL_USE_SSL": False,
    }
    try:
        with override_settings(**real):
            yield server
    finally:
        server.shutdown()
        server.server_close()


def reachable(person: User) -> User:
    person.email = f"{person.username}@example.com"
    person.save(update_fields=["email"])
    return person


def wants(person: User, **fields: Any) -> NoticeSettings:
    row, _ = NoticeSettings.objects.update_or_create(person=person, defaults=fields)
    return row


def waits() -> list[float]:
    found: list[float] = settings.DELIVERY_WAITS
    return found
