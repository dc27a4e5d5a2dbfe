"""What a file says of itself: its kind, hashes, entropy, and what its format carries in its head.

Everything here is a claim of the file. A signature is found to be present, never checked.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pefile
from PIL import ExifTags

from artifacts.looks import pictures
from artifacts.looks.shapes import danger_words, shape_of
from artifacts.looks.shown import visible
from artifacts.looks.texts import Say

Group = dict[str, Any]
_CHUNK: Final = 1 << 20
_PE_BYTES: Final = 256 << 20
_PART: Final = 256 << 10
_MOST: Final = 2_000
_MACHINES: Final = {0x14C: "x86", 0x8664: "x64", 0xAA64: "ARM64", 0x1C4: "ARM"}
_SUBSYSTEMS: Final = {1: "native", 2: "window", 3: "console", 10: "EFI application", 16: "boot application"}
# (words, what to look for): none of it proves anything, each is worth a look.
_PDF: Final = (
    ("JavaScript", rb"/(?:JavaScript|JS)\b"), ("Opens something by itself", rb"/(?:OpenAction|AA)\b"),
    ("Starts a program", rb"/Launch\b"), ("Embedded files", rb"/EmbeddedFiles?\b"), ("Encrypted", rb"/Encrypt\b"),
    ("Forms (XFA)", rb"/XFA\b"), ("Addresses", rb"/URI\b"), ("Object streams, which hide content", rb"/ObjStm\b"),
)  # fmt: skip
_OFFICE: Final = (
    ("Creator", r"dc:creator"), ("Last modified by", r"cp:lastModifiedBy"), ("Created", r"dcterms:created"),
    ("Modified", r"dcterms:modified"), ("Title", r"dc:title"), ("Revision", r"cp:revision"),
    ("Application", r"Application"), ("Company", r"Company"), ("Template", r"Template"),
)  # fmt: skip


def facts(path: Path, name: str, out: Path, say: Say) -> dict[str, Any]:
    """``groups``: title, rows of [what, value], tables of {title, columns, rows}; ``problems`` by group."""
    size = path.stat().st_size
    with path.open("rb") as raw:
        shape = shape_of(raw, size, name)
        raw.seek(0)
        head = raw.read(64)
    groups, problems = [_whole(path, size, shape.form, shape.danger, head, say)], []
    for title, fits, make in (
        ("Program", head.startswith(b"MZ"), program),
        ("Picture", "image" in shape.looks, _picture),
        ("PDF", shape.form.startswith("PDF"), _pdf),
        ("Archive", head.startswith(b"PK"), _zip),
        ("OLE document", head.startswith(b"\xd0\xcf\x11\xe0"), _ole),
    ):
        if not fits:
            continue
        try:
            groups.append(make(path))
        except MemoryError:
            problems.append(f"{title}: it needs more memory than a preview may use.")
        except Exception as error:  # a parser of hostile bytes may raise anything; the other facts stand
            problems.append(f"{title}: it could not be read ({type(error).__name__}: {visible(str(error), 160)}).")
    return {"groups": groups, "problems": problems}


def _whole(path: Path, size: int, form: str, danger: str, head: bytes, say: Say) -> Group:
    digests = [hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False), hashlib.sha256()]
    counts: Counter[int] = Counter()
    done = 0
    with path.open("rb") as raw:
        while chunk := raw.read(_CHUNK):
            for digest in digests:
                digest.update(chunk)
            if done < 64 * _CHUNK or done % (16 * _CHUNK) == 0:  # beyond 64 MiB each 16th is weighed
                counts.update(chunk)
            done += len(chunk)
            if done % (64 * _CHUNK) == 0:
                say({"bytes": done})
    entropy = entropy_of(counts)
    rows = [
        ["Kind", form],
        ["Could do harm as", danger_words(danger) if danger else "nothing that was recognised"],
        ["Size", f"{size:,} bytes"],
        *([name, digest.hexdigest()] for name, digest in zip(("MD5", "SHA-1", "SHA-256"), digests, strict=True)),
        ["Entropy", f"{entropy:.3f} bits a byte" + (" (packed or encrypted)" if entropy > 7.5 else "")],
        ["First bytes", head[:16].hex(" ")],
    ]
    return {"title": "File", "rows": rows, "tables": []}


def entropy_of(counts: Counter[int]) -> float:
    """Shannon's, in bits a byte: 0 for one byte over and over, 8 for all bytes alike."""
    total = sum(counts.values())
    return -sum(n / total * math.log2(n / total) for n in counts.values()) + 0.0 if total else 0.0


def program(path: Path) -> Group:
    """A PE's headers: https://learn.microsoft.com/windows/win32/debug/pe-format. Raises what pefile raises."""
    if path.stat().st_size > _PE_BYTES:
        raise ValueError(f"larger than {_PE_BYTES >> 20} MB")
    pe = pefile.PE(str(path), fast_load=True)
    wanted = ("IMPORT", "EXPORT", "RESOURCE")
    pe.parse_data_directories([pefile.DIRECTORY_ENTRY[f"IMAGE_DIRECTORY_ENTRY_{name}"] for name in wanted])
    header, optional = pe.FILE_HEADER, pe.OPTIONAL_HEADER
    security = optional.DATA_DIRECTORY[4] if len(optional.DATA_DIRECTORY) > 4 else None
    rows = [
        ["Machine", _MACHINES.get(header.Machine, hex(header.Machine))],
        ["Compile time as written", _utc(header.TimeDateStamp)],
        ["Library", "yes" if header.Characteristics & 0x2000 else "no"],
        ["Subsystem", _SUBSYSTEMS.get(optional.Subsystem, str(optional.Subsystem))],
        ["Entry point", hex(optional.AddressOfEntryPoint)],
        ["Signature", "present, not checked" if security is not None and security.Size else "none"],
        ["Import hash", pe.get_imphash() or "none"],
        *_versions(pe),
    ]
    overlay = pe.get_overlay_data_start_offset()
    if overlay is not None:
        rows.append(["Data after the program", f"{path.stat().st_size - overlay:,} bytes from {overlay:#x}"])
    pe_tables = [_sections(pe), _imports(pe), _exports(pe)]
    return {"title": "Program (PE)", "rows": rows, "tables": [table for table in pe_tables if table["rows"]]}


def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def _versions(pe: Any) -> list[list[str]]:
    found = []
    for info in getattr(pe, "FileInfo", ()):
        for entry in info:
            for table in getattr(entry, "StringTable", ()):
                found += [[_bytes(key), _bytes(value)] for key, value in list(table.entries.items())[:40]]
    return found[:60]


def _sections(pe: Any) -> dict[str, Any]:
    rows = [
        [_bytes(s.Name.rstrip(b"\x00")), hex(s.VirtualAddress), f"{s.Misc_VirtualSize:,}", f"{s.SizeOfRawData:,}",
         f"{s.get_entropy():.2f}", _rights(s.Characteristics)] for s in pe.sections[:96]
    ]  # fmt: skip
    return {"title": "Sections", "columns": ["Name", "Address", "In memory", "In the file", "Entropy", "Rights"],
            "rows": rows}  # fmt: skip


def _rights(flags: int) -> str:
    return "".join(letter for bit, letter in ((30, "r"), (31, "w"), (29, "x")) if flags >> bit & 1)


def _imports(pe: Any) -> dict[str, Any]:
    rows = []
    for library in getattr(pe, "DIRECTORY_ENTRY_IMPORT", [])[:300]:
        names = [_bytes(one.name) if one.name else f"#{one.ordinal}" for one in library.imports[:500]]
        rows.append([_bytes(library.dll), str(len(library.imports)), visible(", ".join(names), _MOST)])
    return {"title": "Imports", "columns": ["Library", "Functions", "Names"], "rows": rows}


def _exports(pe: Any) -> dict[str, Any]:
    table = getattr(pe, "DIRECTORY_ENTRY_EXPORT", None)
    rows = [[_bytes(one.name or b""), str(one.ordinal)] for one in (table.symbols[:500] if table else ())]
    return {"title": "Exports", "columns": ["Name", "Ordinal"], "rows": rows}


def _bytes(value: Any) -> str:
    return visible(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value), 400)


def _picture(path: Path) -> Group:
    found = pictures.opened(path)
    rows = [["Format", str(found.format)], ["Pixels", f"{found.width:,} × {found.height:,}"], ["Mode", found.mode]]
    exif = found.getexif()
    for tag, value in [*exif.items(), *exif.get_ifd(ExifTags.IFD.Exif).items()][:100]:
        if tag not in (ExifTags.Base.MakerNote, ExifTags.Base.UserComment):
            rows.append([visible(str(ExifTags.TAGS.get(tag, hex(tag))), 60), visible(str(value), 300)])
    for tag, value in list(exif.get_ifd(ExifTags.IFD.GPSInfo).items())[:40]:
        rows.append([visible(str(ExifTags.GPSTAGS.get(tag, hex(tag))), 60), visible(str(value), 300)])
    return {"title": "Picture", "rows": rows, "tables": []}


def _pdf(path: Path) -> Group:
    with path.open("rb") as raw:
        data = raw.read(32 << 20)
    version = re.search(rb"%PDF-(\d\.\d)", data[:1024])
    rows = [["Version as written", version[1].decode() if version else "none"]]
    rows += [[words, f"{count} places"] for words, mark in _PDF if (count := len(re.findall(mark, data)))]
    for key in (b"Title", b"Author", b"Creator", b"Producer", b"CreationDate", b"ModDate"):
        found = re.search(rb"/" + key + rb"\s*\(((?:\\.|[^\\)]){0,400})\)", data)
        if found:
            text = found[1].decode(
                "utf-16" if found[1].startswith((b"\xfe\xff", b"\xff\xfe")) else "latin-1", "replace"
            )
            rows.append([key.decode(), visible(text, 400)])
    return {"title": "PDF", "rows": rows, "tables": []}


def _zip(path: Path) -> Group:
    with zipfile.ZipFile(path) as archive:
        names = {one.filename: one for one in archive.infolist()[:100_000]}
        rows = [["Entries", f"{len(names):,}"]]
        if archive.comment:
            rows.append(["Comment", visible(archive.comment.decode("cp437"), 1_000)])
        text = "".join(_part(archive, names.get(part)) for part in ("docProps/core.xml", "docProps/app.xml"))
    for words, tag in _OFFICE:
        if found := re.search(rf"<{tag}(?:\s[^<>]{{0,200}})?>([^<>]{{1,400}})</{tag}>", text):
            rows.append([words, visible(found[1], 400)])
    marks = [name for name in names if re.search(r"vbaProject|macrosheets/|activeX/|embeddings/", name)]
    if marks:
        rows.append(["Macros or embedded objects", visible(", ".join(marks[:20]), 800)])
    return {"title": "Zip or Office document", "rows": rows, "tables": []}


def _part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo | None) -> str:
    """A small part as text, read with a lid: what it says of its size is not believed."""
    if entry is None or entry.flag_bits & 1:
        return ""
    try:
        with archive.open(entry) as part:
            return part.read(_PART).decode("utf-8", "replace")
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, EOFError, RuntimeError):
        return ""


def _ole(path: Path) -> Group:
    with path.open("rb") as raw:
        data = raw.read(64 << 20)
    marks = ("VBA project", "_VBA_PROJECT"), ("Excel 4 macros", "Macros"), ("Embedded object", "ObjectPool")
    found = [words for words, mark in marks if mark.encode("utf-16-le") in data]
    installer = "yes" if "!_StringData".encode("utf-16-le") in data else "not seen"
    rows = [["Names in its directory", ", ".join(found) or "none that carry code"], ["Installer (MSI)", installer]]
    return {"title": "OLE document", "rows": rows, "tables": []}
