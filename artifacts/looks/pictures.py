"""A picture, decoded under caps and written anew: no byte of the original, none of its metadata."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageFile, ImageOps

from artifacts.limits import ArtifactError
from artifacts.looks.texts import Say

FORMATS: Final = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "ICO")
MOST_PIXELS: Final = 50_000_000
MOST_BYTES: Final = 256 << 20
SIDE: Final = 1_600
_BROKEN: Final = (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError, OverflowError)


class NoPicture(ArtifactError):
    code = "look.no_picture"


def opened(path: Path) -> Image.Image:
    """The picture with nothing decoded yet. Raises NoPicture."""
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    if path.stat().st_size > MOST_BYTES:
        raise NoPicture(f"It is larger than {MOST_BYTES >> 20} MB.")
    try:
        found = Image.open(path, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NoPicture(f"It claims more than {MOST_PIXELS:,} pixels, which is not decoded.") from None
    except _BROKEN:
        raise NoPicture("It is no picture of a kind that is shown: " + ", ".join(FORMATS) + ".") from None
    if found.width * found.height > MOST_PIXELS:
        raise NoPicture(f"It claims {found.width:,} × {found.height:,} pixels, which are not decoded.")
    return found


def picture(path: Path, name: str, out: Path, say: Say) -> dict[str, Any]:
    """Into ``picture.png``: the first frame, turned upright, at most 1,600 pixels a side."""
    found = opened(path)
    facts = {"format": found.format, "width": found.width, "height": found.height, "mode": found.mode}
    facts["frames"] = min(int(getattr(found, "n_frames", 1)), 100_000) if found.format in ("GIF", "TIFF") else 1
    say({"pixels": found.width * found.height})
    try:
        found.seek(0)
        found.draft("RGB", (SIDE, SIDE))
        small = ImageOps.exif_transpose(found)
        small.thumbnail((SIDE, SIDE))
        plain = small.convert("RGBA" if "A" in small.getbands() or "transparency" in small.info else "RGB")
        clean = Image.frombytes(plain.mode, plain.size, plain.tobytes())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise NoPicture("It unpacks to more than a preview may use.") from None
    except _BROKEN as error:
        raise NoPicture(f"It could not be decoded: {type(error).__name__}.") from None
    clean.save(out / "picture.png", "PNG")
    return {**facts, "shown_width": clean.width, "shown_height": clean.height}
