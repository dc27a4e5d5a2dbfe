"""The organisation's own look: saved as a new version each time, checked, logged."""

import io
import re
from typing import Final

from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.db import transaction
from django.db.models import Max
from PIL import Image, UnidentifiedImageError

from ircase.models import ReportLook, User
from ircase.services import log

MOST_BYTES: Final = 1_000_000
MOST_PIXELS: Final = 4_000 * 4_000
BOX: Final = (1_200, 400)
LONGEST: Final = 4_000
CONTRAST: Final = 4.5  # WCAG 2.2, 1.4.3: text on white paper
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")


def current() -> ReportLook | None:
    return ReportLook.objects.order_by("-number").first()


@transaction.atomic
def save_look(
    *, look: ReportLook, actor: User, logo: "File[bytes] | None" = None, drop_logo: bool = False
) -> ReportLook:
    """`look` as a new version. Its logo is `logo` drawn anew, else the one that holds now. Raises ValidationError.

    The texts' fields were checked by the form and the API (ircase.report.fields)."""
    before = ReportLook.objects.select_for_update().order_by("-number").first()
    look.accent = look.accent.strip().lower()
    _check_colour(look.accent)
    _check_length(look)
    kept = before is not None and not drop_logo
    look.logo = bytes(before.logo) if before is not None and kept else b""
    look.logo_name = before.logo_name if before is not None and kept else ""
    if logo is not None:
        look.logo, look.logo_name = redrawn(logo.read(MOST_BYTES + 1)), (logo.name or "logo")[:120]
    last = ReportLook.objects.aggregate(last=Max("number"))["last"] or 0
    look.pk, look.number, look.made_by = None, last + 1, actor
    look._state.adding = True
    look.full_clean(exclude=["made_by"])
    look.save(force_insert=True)
    log.record("report.look_saved", actor=actor, number=look.number, logo=look.logo_name)
    return look


def _check_length(look: ReportLook) -> None:
    long = [name for name in ("cover", "disclaimer", "contact") if len(getattr(look, name)) > LONGEST]
    if long:
        raise ValidationError(dict.fromkeys(long, f"At most {LONGEST:,} characters."))


def _check_colour(colour: str) -> None:
    if not _COLOUR.fullmatch(colour):
        raise ValidationError({"accent": "A colour is # and six hexadecimal digits, as in #1d4ed8."})
    found = contrast_with_white(colour)
    if found < CONTRAST:
        said = f"On white paper its contrast is {found:.1f} to 1; headings need {CONTRAST} to 1. Take a darker one."
        raise ValidationError({"accent": said})


def contrast_with_white(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def redrawn(content: bytes) -> bytes:
    """A PNG or JPEG as a new PNG that fits BOX: nothing but its pixels is kept. Raises ValidationError."""
    if len(content) > MOST_BYTES:
        raise ValidationError({"logo": f"A logo has at most {MOST_BYTES // 1000:,} kB."})
    try:
        # `formats`: no other reader of pillow ever sees the bytes; an SVG is none of these.
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValidationError({"logo": "The picture has too many pixels. Make it smaller."})
            drawn = picture.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise ValidationError(
            {"logo": "That is no PNG and no JPEG. An SVG cannot be taken: it may hold code."}
        ) from None
    drawn.thumbnail(BOX)
    made = Image.new("RGBA", drawn.size)
    made.paste(drawn)
    out = io.BytesIO()
    made.save(out, "PNG")
    return out.getvalue()
