"""What a file is by its bytes and its name, which looks fit it, and whether it could do harm where it is opened.

Careful by design: a name that a system would run counts as much as the bytes. What it cannot see is a script without
a telling name or first line, and what hides behind a format's own compression.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import BinaryIO, Final

VERSION: Final = 1
KINDS: Final = ("text", "hex", "table", "json", "image", "events", "archive", "strings", "metadata")
_HEAD: Final = 65_536
_TAIL: Final = 1 << 20

# (offset, first bytes, what it is, danger, looks): https://www.garykessler.net/library/file_sigs.html
_MAGIC: Final = (
    (0, b"MZ", "Windows program (PE or DOS)", "program", ()),
    (0, b"\x7fELF", "Linux program (ELF)", "program", ()),
    (0, b"\xfe\xed\xfa\xce", "macOS program (Mach-O)", "program", ()),
    (0, b"\xfe\xed\xfa\xcf", "macOS program (Mach-O)", "program", ()),
    (0, b"\xce\xfa\xed\xfe", "macOS program (Mach-O)", "program", ()),
    (0, b"\xcf\xfa\xed\xfe", "macOS program (Mach-O)", "program", ()),
    (0, b"\xca\xfe\xba\xbe", "Java class or macOS program", "program", ()),
    (0, b"dex\n", "Android program (DEX)", "program", ()),
    (0, b"\x00asm", "WebAssembly", "program", ()),
    (0, b"#!", "Script", "script", ()),
    (0, b"L\x00\x00\x00\x01\x14\x02\x00", "Windows shortcut (LNK)", "shortcut", ()),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE document (Office 97, MSI or MSG)", "macro", ()),
    (0, b"{\\rt", "RTF document", "document", ()),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "OneNote section", "document", ()),
    (0, b"ITSF", "Compiled HTML help (CHM)", "active", ()),
    (0, b"7z\xbc\xaf\x27\x1c", "7z archive", "archive", ()),
    (0, b"Rar!\x1a\x07", "RAR archive", "archive", ()),
    (0, b"\x1f\x8b", "gzip", "archive", ("archive",)),
    (0, b"BZh", "bzip2", "archive", ("archive",)),
    (0, b"\xfd7zXZ\x00", "xz", "archive", ("archive",)),
    (0, b"\x28\xb5\x2f\xfd", "zstd", "archive", ()),
    (0, b"MSCF", "Cabinet archive", "archive", ()),
    (257, b"ustar", "tar archive", "archive", ("archive",)),
    (0, b"conectix", "Virtual disk (VHD)", "archive", ()),
    (0, b"vhdxfile", "Virtual disk (VHDX)", "archive", ()),
    (0x8001, b"CD001", "Disc image (ISO 9660)", "archive", ()),
    (0, b"ElfFile\x00", "Windows event log (EVTX)", "", ("events",)),
    (0, b"PAR1", "Parquet table", "", ("table",)),
    (0, b"SQLite format 3\x00", "SQLite database", "", ("table",)),
    (0, b"\x89PNG\r\n\x1a\n", "PNG image", "", ("image",)),
    (0, b"\xff\xd8\xff", "JPEG image", "", ("image",)),
    (0, b"GIF8", "GIF image", "", ("image",)),
    (0, b"BM", "BMP image", "", ("image",)),
    (0, b"II*\x00", "TIFF image", "", ("image",)),
    (0, b"MM\x00*", "TIFF image", "", ("image",)),
    (0, b"\x00\x00\x01\x00", "Icon", "", ("image",)),
    (0, b"regf", "Registry hive", "", ()),
)  # fmt: skip
_RUN: Final = {
    "program": "exe dll sys scr com cpl ocx drv efi msi msp msix appx elf so dylib apk jar class pif gadget",
    "script": "ps1 psm1 psd1 ps1xml bat cmd vbs vbe vb js jse mjs wsf wsh wsc sct hta py pyw pl rb sh bash zsh php "
    "reg inf scpt command au3 ahk lua jnlp msc application",
    "shortcut": "lnk url scf library-ms searchconnector-ms settingcontent-ms website desktop",
    "macro": "doc dot xls xlt xlm ppt pot pps docm dotm xlsm xltm xlsb xlam pptm potm ppsm ppam accdb mdb pub msg slk "
    "iqy xll wll",
    "document": "pdf rtf one onepkg",
    "active": "html htm xhtml xht shtml mht mhtml svg svgz chm xsl xslt swf",
    "archive": "zip 7z rar gz tgz bz2 xz zst tar cab iso img vhd vhdx arj lzh ace udf dmg",
}
_BY_ENDING: Final = {ending: danger for danger, endings in _RUN.items() for ending in endings.split()}
_WORDS: Final = {
    "program": "a program", "script": "a script", "shortcut": "a shortcut", "macro": "a document that can carry macros",
    "document": "a document that can carry code", "active": "a page that can carry scripts", "archive": "an archive",
}  # fmt: skip
_OFFICE: Final = ("docx", "dotx", "xlsx", "xltx", "pptx", "potx", "ppsx", "vsdx", "odt", "ods", "odp")
_ARMED: Final = (b"vbaProject", b"macrosheets/", b"embeddings/", b"activeX/", b"Basic/", b"customUI")
_PAGES: Final = (b"<html", b"<!doctype html", b"<script", b"<svg", b"<hta:", b"<?php", b"<job", b"<scriptlet")


@dataclass(frozen=True)
class Shape:
    """``danger`` is empty or one word of ``DANGERS``; ``looks`` are of ``KINDS``, the best first."""

    form: str
    danger: str
    looks: tuple[str, ...]


def danger_words(danger: str) -> str:
    return _WORDS.get(danger, danger)


def shape_of(file: BinaryIO, size: int, name: str) -> Shape:
    """Reads at most a megabyte of each end of ``file``."""
    head = file.read(_HEAD)
    ending = ending_of(name)
    form, danger, looks = _of_bytes(file, head, size, ending)
    danger = danger or _BY_ENDING.get(ending, "")
    return Shape(form, danger, (*looks, "text", "hex", "strings", "metadata"))


def ending_of(name: str) -> str:
    """The ending that a system would go by: hidden letters and what Windows drops at the end do not count."""
    plain = "".join(letter for letter in name if unicodedata.category(letter) not in ("Cc", "Cf"))
    stem, dot, ending = plain.rstrip(" .").rpartition(".")
    return ending.strip().lower() if dot and stem is not None else ""


def is_run_by_name(name: str) -> bool:
    """Whether a system would run a file of this name, or open it as a shortcut."""
    return _BY_ENDING.get(ending_of(name)) in ("program", "script", "shortcut")


def _of_bytes(file: BinaryIO, head: bytes, size: int, ending: str) -> tuple[str, str, tuple[str, ...]]:
    if not head:
        return "Empty", "", ()
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(file, head, size, ending)
    for offset, magic, form, danger, looks in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return form, danger, looks
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP image", "", ("image",)
    if b"%PDF-" in head[:1024]:
        return "PDF document", "document", ()
    if b"PK\x05\x06" in _tail(file, size):
        return "Data with an archive at its end", "archive", ("archive",)
    return _of_text(head, ending)


def _zip(file: BinaryIO, head: bytes, size: int, ending: str) -> tuple[str, str, tuple[str, ...]]:
    """An Office document is plain only where all of its directory was seen and names nothing that runs."""
    if ending not in _OFFICE and b"[Content_Types].xml" not in head[:64]:
        return "Zip archive", "archive", ("archive",)
    tail = _tail(file, size)
    at = tail.rfind(b"PK\x05\x06")
    length = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else -1
    whole = 0 <= length <= at
    armed = not whole or any(mark in tail[at - length : at] for mark in _ARMED)
    looks = ("archive", "table") if ending == "xlsx" else ("archive",)
    return ("Office document with macros or embedded objects" if armed else "Office document"), "macro" * armed, looks


def _of_text(head: bytes, ending: str) -> tuple[str, str, tuple[str, ...]]:
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[1:64:2].count(0) > 20
    flat = head.replace(b"\x00", b"").lower() if wide else head.lower()
    if any(mark in flat[:4096] for mark in _PAGES) and ending not in ("csv", "tsv", "json", "jsonl", "ndjson", "log"):
        return "Text with markup that runs", "active", ()
    if not wide and b"\x00" in head:
        return "Data", "", ()
    first = flat.removeprefix(b"\xef\xbb\xbf").lstrip(b"\xff\xfe \t\r\n")[:1]
    if ending in ("json", "jsonl", "ndjson", "ipynb") or first in (b"{", b"["):
        return "JSON", "", ("json", "table")
    return ("Table as text", "", ("table",)) if ending in ("csv", "tsv", "psv") else ("Text", "", ())


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, size - _TAIL))
    return file.read(_TAIL)
