"""The result file of a RunScript command, read whatever its state; and gzip undone as a stream.

https://learn.microsoft.com/defender-endpoint/api/get-live-response-result
"""

import codecs
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Any, BinaryIO, Final

from msapi.errors import BadReply, ResultTooLarge
from msapi.reading import number

SCRIPT_RESULT_BYTES: Final = 64 * 1024**2
_CHUNK: Final = 256 * 1024
_ENTRIES: Final = 100


class Wrapping(StrEnum):
    """What a file's first bytes say it is."""

    GZIP = "gzip"
    ZIP = "zip"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What gunzip wrote: bytes, their SHA-256, and how many bytes behind the last member were left alone."""

    bytes: int
    sha256: str
    trailing: int


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """What a script left. `exit_code` is None and `is_complete` False where the file was not the documented JSON;
    `output` is then all of its text."""

    script_name: str
    exit_code: int | None
    output: str
    errors: str
    is_complete: bool = True


def sniff(head: bytes) -> Wrapping:
    """What a file is by its first bytes (four suffice)."""
    if head.startswith(b"\x1f\x8b"):
        return Wrapping.GZIP
    return Wrapping.ZIP if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) else Wrapping.RAW


def gunzip(source: BinaryIO | IO[bytes], sink: BinaryIO | IO[bytes], *, cap: int) -> Unpacked:
    """Unpack gzip (all its members) from `source` into `sink`, up to `cap` bytes.

    Raises ResultTooLarge beyond the cap and BadReply for a broken or cut-off file; the sink then holds what came first.
    """
    unpacker = zlib.decompressobj(wbits=31)
    digest, written, trailing, between = hashlib.sha256(), 0, 0, False
    try:
        while data := source.read(_CHUNK):
            while data:
                if between and not data.startswith(b"\x1f"):
                    return Unpacked(written, digest.hexdigest(), trailing + len(data) + _rest(source))
                if between:
                    unpacker, between = zlib.decompressobj(wbits=31), False
                piece = unpacker.decompress(data, _CHUNK)
                written += len(piece)
                if written > cap:
                    raise ResultTooLarge(f"The file unpacks to more than {cap / 1024**2:.0f} MiB and was not unpacked.")
                digest.update(piece)
                sink.write(piece)
                between = unpacker.eof
                data = unpacker.unused_data if between else unpacker.unconsumed_tail
    except zlib.error as error:
        raise BadReply(f"The gzip file is damaged after {written} bytes ({error}).", permanent=True) from None
    if not between:
        raise BadReply(f"The gzip file is cut off after {written} unpacked bytes.")
    return Unpacked(written, digest.hexdigest(), trailing)


def _rest(source: BinaryIO | IO[bytes]) -> int:
    count = 0
    while chunk := source.read(_CHUNK):
        count += len(chunk)
    return count


def parse_script_result(content: bytes, *, cap: int = SCRIPT_RESULT_BYTES) -> ScriptResult:
    """The result of a script from the bytes that were downloaded.

    Accepts gzip around it, byte-order marks, raw control characters inside strings, and the zip that devices without
    Windows send. Only a file beyond `cap` bytes, or one whose packing is broken, raises an `ApiError`.
    """
    content = _unwrapped(content, cap)
    if sniff(content) is Wrapping.ZIP:
        return _from_zip(content, cap)
    written = _decoded(content)
    try:
        document = json.loads(written, strict=False)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, Mapping) or not _KEYS & {str(key).lower() for key in document}:
        return ScriptResult("", None, _clean(written), "", is_complete=False)
    keyed = {str(key).lower(): value for key, value in document.items()}
    return ScriptResult(
        script_name=_clean(_flat(keyed.get("script_name"))),
        exit_code=number(keyed, "exit_code"),
        output=_clean(_flat(keyed.get("script_output"))),
        errors=_clean(_flat(keyed.get("script_errors"))),
    )


_KEYS: Final = {"script_name", "exit_code", "script_output", "script_errors"}


def _unwrapped(content: bytes, cap: int) -> bytes:
    if len(content) > cap:
        raise ResultTooLarge(f"The script's result is larger than {cap / 1024**2:.0f} MiB.")
    if sniff(content) is not Wrapping.GZIP:
        return content
    sink = io.BytesIO()
    gunzip(io.BytesIO(content), sink, cap=cap)
    return sink.getvalue()


_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def _decoded(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    return content.decode("utf-8", "replace")


def _from_zip(content: bytes, cap: int) -> ScriptResult:
    """Devices without Windows send a zip with entries named stdout and stderr."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {_base(entry.filename): entry for entry in archive.infolist()[:_ENTRIES]}
            output = _entry(archive, entries.get("stdout"), cap)
            errors = _entry(archive, entries.get("stderr"), cap)
            known = "stdout" in entries
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, ValueError, EOFError) as error:
        raise BadReply(f"The script's result is a broken zip ({type(error).__name__}).", permanent=True) from None
    return ScriptResult("", None, _clean(output), _clean(errors), is_complete=known)


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo | None, cap: int) -> str:
    if entry is None:
        return ""
    with archive.open(entry) as stream:
        content = stream.read(cap + 1)
    if len(content) > cap:
        raise ResultTooLarge(f"The script's output unpacks to more than {cap / 1024**2:.0f} MiB.")
    return _decoded(content)


def _base(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1].lower().removesuffix(".txt")


def _flat(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(_flat(item) for item in value if not isinstance(item, list | dict))
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value, default=str)
    except RecursionError:
        return "[nested too deep to show]"


def _clean(written: str) -> str:
    # NUL stops databases and fonts alike; lone surrogates cannot be written as UTF-8.
    return written.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
