"""Other DFIR zips made from the usual one: from a German Windows, and by somebody who means harm."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Collection, Iterable
from datetime import datetime

_DATE = re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{2})(?::(\d{2}))? ([AP]M)\b")
# The words of Windows' own messages, longest first so that none is cut by a shorter one.
_GERMAN = {
    "An account was successfully logged on.": "Ein Konto wurde erfolgreich angemeldet.",
    "An account failed to log on.": "Fehler beim Anmelden eines Kontos.",
    "Detailed Authentication Information:": "Detaillierte Authentifizierungsinformationen:",
    "Account For Which Logon Failed:": "Konto, für das die Anmeldung fehlgeschlagen ist:",
    "Source Network Address:": "Quellnetzwerkadresse:",
    "Network Information:": "Netzwerkinformationen:",
    "Failure Information:": "Fehlerinformationen:",
    "Process Information:": "Prozessinformationen:",
    "Service Information:": "Dienstinformationen:",
    "Share Information:": "Freigabeinformationen:",
    "Workstation Name:": "Arbeitsstationsname:",
    "Service File Name:": "Dienstdateiname:",
    "Authentication Package:": "Authentifizierungspaket:",
    "Process Command Line:": "Prozessbefehlszeile:",
    "Creator Process Name:": "Erstellerprozessname:",
    "New Process Name:": "Neuer Prozessname:",
    "Account Domain:": "Kontodomäne:",
    "Account Name:": "Kontoname:",
    "Source Address:": "Quelladresse:",
    "Logon Process:": "Anmeldeprozess:",
    "Service Name:": "Dienstname:",
    "Security ID:": "Sicherheits-ID:",
    "Source Port:": "Quellport:",
    "Share Name:": "Freigabename:",
    "Logon Type:": "Anmeldetyp:",
    "New Logon:": "Neue Anmeldung:",
    "Sub Status:": "Unterstatus:",
    "Subject:": "Antragsteller:",
}
_BOMB = 16 << 20
_LINK = 0o120777 << 16

Entries = Iterable[tuple[zipfile.ZipInfo, bytes]]


def changed(content: bytes, faults: Collection[str]) -> bytes:
    """The zip as the faults `german_device` and `hostile_zip` make it; unchanged without them."""
    if "german_device" in faults:
        content = _packed(_each(content, german))
    return hostile(content) if "hostile_zip" in faults else content


def german(content: bytes) -> bytes:
    """A text of the zip with German dates and words, in the encoding that it has."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xef\xbb\xbf", "utf-8"), (b"", "ascii")):
        if content.startswith(mark):
            text = content[len(mark) :].decode(encoding, "replace")
            break
    for english, word in _GERMAN.items():
        text = text.replace(english, word)
    return mark + _DATE.sub(_german_date, text).encode(encoding, "replace")


def _german_date(found: re.Match[str]) -> str:
    month, day, year, hour, minute, second, half = found.groups()
    hours = int(hour) % 12 + (12 if half == "PM" else 0)
    moment = datetime(int(year), int(month), int(day), hours, int(minute), int(second or 0))
    return f"{moment:%d.%m.%Y %H:%M:%S}" if second else f"{moment:%d.%m.%Y %H:%M}"


def hostile(content: bytes) -> bytes:
    """The zip with everything in it that a loader must survive, and without two of its folders."""
    kept = [(info, body) for info, body in _each(content, lambda body: body) if not _left_out(info.filename)]
    root = kept[0][0].filename.partition("\\")[0]
    folder = f"{root}\\CSV Results (SIEM Import Data)"
    extra = [
        ("..\\..\\evil.csv", b"A\r\nclimbed\r\n"),
        ("/etc/cron.d/evil.csv", b"A\r\nabsolute\r\n"),
        (f"{root}\\NUL.csv", b"A\r\ndevice\r\n"),
        (f"{root}\\bomb.csv", bytes(_BOMB)),
        (f"{folder}\\AutoRun.csv", b'\xef\xbb\xbf"Name","Command"\r\n"=cmd|\' /C calc\'!A1","@SUM(1+1)"\r\n'),
        (f"{folder}\\LocalUsers.csv", b'\xef\xbb\xbf"Name","Description"\r\n"m\xfcller","w\xe4chter\x00"\r\n'),
        (f"{folder}\\ShadowCopy.csv", b'"ID","InstallDate"\r\n"{1}","never closed\r\n'),
        (
            f"{root}\\PowerShellHistory\\b\xc3\xb6b.Name\\ConsoleHost_history.txt".encode().decode("cp437"),
            b"whoami\r\n",
        ),
    ]
    made = [(_info(name), body) for name, body in extra]
    link = _info(f"{root}\\link.csv")
    link.create_system, link.external_attr = 3, _LINK
    names = {info.filename for info, _ in made}
    whole = _packed([*((i, b) for i, b in kept if i.filename not in names), *made, (link, b"/etc/passwd")])
    return _encrypted(whole, f"{root}\\ipinfo.txt")


def _left_out(name: str) -> bool:
    return "\\Services\\" in name or "\\ScheduledTask\\" in name


def _encrypted(content: bytes, name: str) -> bytes:
    """The zip with the flag of encryption on one of its entries, in both of its headers."""
    raw, wanted = bytearray(content), name.encode()
    for mark, flag, size, at in ((b"PK\x03\x04", 6, 26, 30), (b"PK\x01\x02", 8, 28, 46)):
        start = raw.find(mark)
        while start >= 0:
            length = int.from_bytes(raw[start + size : start + size + 2], "little")
            if bytes(raw[start + at : start + at + length]) == wanted:
                raw[start + flag] |= 1
            start = raw.find(mark, start + 4)
    return bytes(raw)


def _each(content: bytes, change: Callable[[bytes], bytes]) -> Entries:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            yield _info(info.orig_filename, info.date_time), change(archive.read(info))


def _info(name: str, when: tuple[int, int, int, int, int, int] = (2026, 1, 1, 0, 0, 0)) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x", when)
    info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED
    return info


def _packed(entries: Entries) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in entries:
            archive.writestr(info, content)
    return buffer.getvalue()
