"""The typesetter's own process: `python -I child.py FOLDER MEGABYTES SECONDS`. Imports nothing of ours.

It reads FOLDER/data.json and FOLDER/template.typ and writes FOLDER/report.pdf. Text that no font can show becomes
U+XXXX, so that nothing in the data can stop it. On stdout one JSON object: {"standard": "a-2b"} or {"error": "…"}.
"""

import json
import re
import resource
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typst

ZERO_WIDTH_SPACE = "\u200b"
NO_CHARACTER = "\U0010fffe"  # in no font, by definition
# Where each of these ends, a long word may be broken without reading as two.
_LONG_ASCII = re.compile(r"[!-~]{25,}")
_LONG_QUERY = re.compile(r"[!-~]{60,}")
_LONG_ANY = re.compile(r"\S{60,}")
_PIECE = re.compile(r"[^\\/.,:;@_=&?%+|-]{1,12}[\\/.,:;@_=&?%+|-]?|.")
_WHOLE = (
    "sha256",
    "stated_sha256",
    "manifest_sha256",
    "query_sha256",
    "script_sha256",
    "digest",
    "log_digest",
    "binding",
    "custody_digest",
    "certificate",
    "public_key",
)
_DIGEST = re.compile(r"[0-9a-f]{32,64}")
_MARK = re.compile(r'(?:href="#g([0-9A-Za-z]+)")|(<image|<svg x)|href="http://x/(\d+)"')
_PROBE = """
#set page(width: 200pt, height: auto, margin: 0pt)
#set text(font: ("Libertinus Serif", "DejaVu Sans Mono"))
#for c in json("/characters.json") { block(link("http://x/" + str(c.to-unicode()), c)) }
"""


def is_hidden(letter: str) -> bool:
    """Whether a reader would not see it: control, direction, joiner, surrogate, private, unassigned, selectors."""
    if letter in "\n\t ":
        return False
    return unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or "VARIATION" in (
        unicodedata.name(letter, "")
    )


def named(letter: str) -> str:
    return f"[U+{ord(letter):04X}]"


def clean(value: Any, shown: Callable[[str], str], key: str = "") -> Any:
    """`value` with every text made printable; hashes are never broken, so that they can be copied."""
    if isinstance(value, dict):
        # A digest that is printed as code stays in one piece.
        whole = value.get("look") == "code" and _DIGEST.fullmatch(str(value.get("text", "")))
        return {
            name: clean(part, shown, "digest" if whole and name == "text" else name) for name, part in value.items()
        }
    if isinstance(value, list):
        return [clean(part, shown, key) for part in value]
    if not isinstance(value, str):
        return value
    if key == "url":
        return value if value.isascii() and value.isprintable() else ""
    text = shown(value)
    return text if key in _WHOLE else breakable(text, _LONG_QUERY if key == "query" else _LONG_ASCII)


def breakable(text: str, long: re.Pattern[str]) -> str:
    """Places where a line may end inside words that are longer than a column."""
    text = long.sub(lambda found: ZERO_WIDTH_SPACE.join(_PIECE.findall(found.group())), text)
    return _LONG_ANY.sub(_cut_up, text)


def _cut_up(found: re.Match[str]) -> str:
    """Words without an ASCII seam, such as a line of Arabic without spaces: every 24 letters."""
    word = found.group()
    if ZERO_WIDTH_SPACE in word:
        return word
    return ZERO_WIDTH_SPACE.join(word[place : place + 24] for place in range(0, len(word), 24))


def letters_of(value: Any, found: set[str]) -> set[str]:
    if isinstance(value, dict):
        for part in value.values():
            letters_of(part, found)
    elif isinstance(value, list):
        for part in value:
            letters_of(part, found)
    elif isinstance(value, str) and not value.isascii():
        found.update(value)
    return found


def missing_from_fonts(letters: set[str], folder: Path) -> set[str]:
    """Which of `letters` no font can show, asked of the typesetter itself: it draws each on a line of its own, and one
    that looks like a character that cannot exist, or like nothing, is missing."""
    asked = sorted(letters)
    if not asked:
        return set()
    (folder / "characters.json").write_text(json.dumps([NO_CHARACTER, *asked]), encoding="ascii")
    probe = folder / "probe.typ"
    probe.write_text(_PROBE, encoding="ascii")
    # Several pages come as a list, whatever the stub of the wheel says.
    pages: Any = typst.compile(probe, root=folder, format="svg")
    drawn: dict[str, list[str]] = {}
    marks: list[str] = []
    for page in pages if isinstance(pages, list) else [pages]:
        for glyph, picture, code in _MARK.findall((page or b"").decode()):
            if code:
                drawn.setdefault(chr(int(code)), marks)
                marks = []
            else:
                marks.append(glyph or picture)
    nothing = drawn.get(NO_CHARACTER, [])
    return {letter for letter in asked if drawn.get(letter, []) in ([], nothing)}


def shower(data: Any, folder: Path) -> Callable[[str], str]:
    """The function that makes a text printable, for the characters of `data`."""
    found = letters_of(data, set())
    hidden = {letter for letter in found if is_hidden(letter)}
    missing = missing_from_fonts({c for c in found - hidden if not c.isascii() and not c.isspace()}, folder)
    table = {ord(letter): named(letter) for letter in hidden | missing}
    table |= {code: named(chr(code)) for code in [*range(32), 127] if chr(code) not in "\n\t"}
    table[ord("\t")] = "    "
    return lambda text: text.replace("\r\n", "\n").translate(table)


def typeset(folder: Path) -> str:
    """Write report.pdf; the PDF standard it keeps, "" for none."""
    data = json.loads((folder / "data.json").read_text(encoding="ascii"))
    show = shower(data, folder)
    (folder / "clean.json").write_text(json.dumps(clean(data, show)), encoding="ascii")
    template, out = folder / "template.typ", folder / "report.pdf"
    try:
        typst.compile(template, output=out, root=folder, pdf_standards="a-2b")
    except typst.TypstError:
        # An archive's standard is a gift, the report is a duty: it refuses some character sequences that print well.
        typst.compile(template, output=out, root=folder)
        return ""
    return "a-2b"


def main() -> None:
    folder, megabytes, seconds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = {"standard": typeset(folder)}
    except (typst.TypstError, OSError, ValueError, MemoryError) as error:
        answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
