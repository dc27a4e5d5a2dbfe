"""What the pages of a case's hooks and of the site's share."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from ircase.forms.notifications import HookForm
from ircase.models import Hook, User
from ircase.services.telling import hooks, payload


def edit(request: HttpRequest, hook: Hook, actor: User) -> HttpResponse:
    """The page of one hook, or of a new one; a new signed webhook's secret is on this one answer and nowhere else."""
    new = hook.pk is None
    form = HookForm(request.POST if request.method == "POST" else None, hook=hook)
    if request.method == "POST" and form.is_valid():
        try:
            secret = hooks.save(hook=form.filled(), actor=actor, url=form.address())
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            if new and secret:
                return show(request, hook, HookForm(hook=hook), secret=secret)
            messages.success(request, f"{hook.name} is saved.")
            return redirect(address(hook, "hook"), *arguments(hook))
    return show(request, hook, form, status=422 if form.errors else 200)


def show(request: HttpRequest, hook: Hook, form: HookForm, *, status: int = 200, **more: Any) -> HttpResponse:
    saved = hook if hook.pk is not None else None
    context = {
        "form": form,
        "saved": saved,
        "case": hook.case,
        "both_sign": saved is not None and len(payload.secrets_of(saved)) > 1,
        "last": list(saved.deliveries.order_by("-at", "-pk")[:10]) if saved else [],
        **more,
    }
    response = render(request, "notices/hook.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def renew(request: HttpRequest, hook: Hook, actor: User) -> HttpResponse:
    try:
        secret = hooks.new_secret(hook=hook, actor=actor)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect(address(hook, "hook"), *arguments(hook))
    hook.refresh_from_db()
    return show(request, hook, HookForm(hook=hook), secret=secret)


def remove(request: HttpRequest, hook: Hook, actor: User) -> None:
    name = hook.name
    hooks.remove(hook=hook, actor=actor)
    messages.success(request, f"{name} is gone, and what waited for it.")


def address(hook: Hook, page: str) -> str:
    return f"ircase:case_{page}" if hook.case_id else f"ircase:{page}"


def arguments(hook: Hook) -> list[Any]:
    return [hook.case.reference, hook.uuid] if hook.case else [hook.uuid]
