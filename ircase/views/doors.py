"""What every view of a case begins with, and how it tells the outcome of a write."""

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.forms import Form
from django.http import HttpRequest

from ircase import access
from ircase.models import Case, CaseRole, User


def case_to_change(request: HttpRequest, reference: str, needs: CaseRole = access.ANALYST) -> tuple[User, Case]:
    """The person and an open case they may change. 404 for outsiders, 403 for readers and where the case is closed."""
    user = access.current_user(request)
    case = access.get_case(user, reference, needs)
    if not case.is_open:
        raise PermissionDenied("The case is closed. A lead can open it again on its overview.")
    return user, case


def attempt(request: HttpRequest, success: str, act: Callable[[], object]) -> bool:
    """Do `act` and tell the person how it went; False where the service found what was asked not valid."""
    try:
        act()
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return False
    messages.success(request, success)
    return True


def say_errors(request: HttpRequest, errors: dict[str, list[str]]) -> None:
    """A small form's errors as a message, where the page has no place of its own for them."""
    for field, found in errors.items():
        name = "" if field == "__all__" else f"{field.replace('_', ' ').capitalize()}: "
        messages.error(request, name + " ".join(found))


def file_refused(form: Form, error: Exception) -> Form:
    """The form again, saying of its field `file` why that was not taken and nothing else: the rest was not read."""
    form.errors.clear()
    form.add_error("file", "; ".join(getattr(error, "messages", [str(error)])))
    return form
