"""Text of unknown encoding as lines."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_END = 0x0A
LINE_CHARACTERS = 16 << 20


@dataclass
class TextSource:
    """A text file, read line by line.

    ``encoding`` is what it is read as; ``assumed`` is True where nothing in the file says so (no byte-order mark and
    not UTF-8). ``nuls`` counts NUL characters that were dropped, ``long_lines`` lines over 16 Mi characters, dropped.
    """

    path: Path
    encoding: str
    assumed: bool
    nuls: int = 0
    long_lines: int = 0
    line: int = field(default=0)

    def lines(self) -> Iterator[str]:
        """The lines with their ends, NULs dropped. ``line`` is the number of the one given last."""
        with self.path.open("r", encoding=self.encoding, errors="replace", newline="") as stream:
            while text := stream.readline(LINE_CHARACTERS):
                self.line += 1
                if len(text) == LINE_CHARACTERS and not text.endswith("\n"):
                    self.long_lines += 1
                    while (text := stream.readline(LINE_CHARACTERS)) and not text.endswith("\n"):
                        pass
                    continue
                if "\0" in text:
                    self.nuls += text.count("\0")
                    text = text.replace("\0", "")
                yield text


def open_text(path: Path, encoding: str = "") -> TextSource:
    """Decide a file's encoding: ``encoding`` where somebody says it, else by its byte-order mark, else UTF-16 by its
    NULs, else UTF-8 if all of it is, else cp1252."""
    with path.open("rb") as raw:
        head = raw.read(4096)
    for bom, marked in _BOMS:
        if head.startswith(bom) and (not encoding or marked.startswith(encoding)):
            return TextSource(path, marked, assumed=False)
    if encoding:
        return TextSource(path, encoding, assumed=False)
    guessed = _utf16_without_mark(head)
    if guessed:
        return TextSource(path, guessed, assumed=True)
    if _is_utf8(path):
        return TextSource(path, "utf-8", assumed=False)
    return TextSource(path, "cp1252", assumed=True)


def _utf16_without_mark(head: bytes) -> str | None:
    """By the NULs beside every letter of ASCII; beside every end of a line, where the script is another."""
    pairs = len(head) // 2
    if pairs < 8 or 0 not in head:
        return None
    foreign = not _is_plain(head)
    for encoding, high, low in (("utf-16-le", head[1::2], head[0::2]), ("utf-16-be", head[0::2], head[1::2])):
        if high.count(0) > 0.7 * pairs and low.count(0) < 0.1 * pairs:
            return encoding
        ends = [high[at] == 0 for at in range(pairs) if low[at] == _LINE_END]
        if foreign and any(ends) and not low.count(0) and sum(ends) > 0.8 * (len(ends) + high.count(_LINE_END)):
            return encoding
    return None


def _is_plain(head: bytes) -> bool:
    """Whether the beginning of a file is UTF-8 without control characters, NULs aside."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(letter < " " and letter not in "\t\r\n\0" for letter in text)


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as raw:
            while chunk := raw.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def dump_line(row: dict[str, Any]) -> str:
    """One row as a line of JSON that every reader takes: ASCII, no lone surrogates, no NaN."""
    line = _encode(row)
    if "\\ud" in line:
        line = _encode(_whole_characters(row))
    return line + "\n"


_slow = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False, allow_nan=True)


def _encoder() -> Callable[[dict[str, Any]], str]:
    """``JSONEncoder.encode`` makes the same C encoder anew for every call; it is made once here, where there is one."""
    make = getattr(json.encoder, "c_make_encoder", None)
    quote = getattr(json.encoder, "encode_basestring_ascii", None)
    if make is None or quote is None:
        return _slow.encode
    encode = make(None, _slow.default, quote, None, ":", ",", False, False, True)
    return lambda row: "".join(encode(row, 0))


_encode = _encoder()


def _whole_characters(value: Any) -> Any:
    """The same value with lone surrogates replaced; real pairs stay."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole_characters(key): _whole_characters(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_characters(item) for item in value]
    return value
