"""What saving a hunt and saving a pack have in common."""

from typing import TypeVar

from django.core.exceptions import ValidationError

from hunting.models import SavedHunt, SavedPack
from ircase.models import User

_Saved = TypeVar("_Saved", SavedHunt, SavedPack)


def row_to_write(things: type[_Saved], slug: str, *, actor: User, edited_from: int, noun: str) -> _Saved:
    """The locked row whose next version is written; made where nothing was edited (`edited_from` 0). Call it inside a
    transaction. Raises ValidationError where there is none to edit."""
    if not edited_from:
        things.objects.get_or_create(slug=slug, defaults={"created_by": actor})
    saved = things.objects.select_for_update().filter(slug=slug).first()
    if saved is None:
        raise ValidationError({"id": f"There is no saved {noun} {slug}."})
    return saved
