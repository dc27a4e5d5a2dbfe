"""A pasted text, what was recognised in it page by page, and the chosen ones onto the case."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from ircase.forms.indicators import ChosenForm, PasteForm
from ircase.indicators import extract, pasting
from ircase.models import Case, User
from ircase.pages import render_tab
from ircase.views.doors import case_to_change

PER_PAGE = 500
"""Django takes 1,000 fields of a form; every row of a page is one."""
_MOST_SAID = 5


@require_http_methods(["GET", "POST"])
@login_required
def indicators_paste(request: HttpRequest, reference: str) -> HttpResponse:
    """A text, what was recognised in it, and the chosen ones onto the case. Between its pages the form carries the text
    and the places that are chosen on the others."""
    user, case = case_to_change(request, reference)
    form = PasteForm(request.POST or None)
    chosen_form = ChosenForm(request.POST if "mark" in request.POST else None, initial={"tlp": case.tlp})
    context: dict[str, Any] = {"form": form, "chosen_form": chosen_form}
    if request.method == "POST" and form.is_valid():
        try:
            found = extract.extract(form.cleaned_data["text"])
        except ValidationError as error:
            form.add_error("text", error.messages)
        else:
            shown = pasting.preview(case, found)
            picked = _picked(request, found, shown)
            if "choose" in request.POST and _same(request, found) and chosen_form.is_valid():
                chosen = [(one.kind, one.value) for place, one in enumerate(found) if place in picked]
                return _add(request, case, user, chosen, chosen_form)
            context |= _page_of(request, found, shown, picked)
    wrong = form.errors or (chosen_form.is_bound and chosen_form.errors)
    return render_tab(request, case, "entities", "case/paste.html", context, status=422 if wrong else 200)


def _same(request: HttpRequest, found: list[extract.Found]) -> bool:
    return request.POST.get("mark") == pasting.mark_of(found)


def _picked(request: HttpRequest, found: list[extract.Found], shown: list[dict[str, Any]]) -> set[int]:
    """The places that are chosen: as the form says, else as it is offered at first."""
    if not _same(request, found):
        return {place for place, one in enumerate(shown) if one["chosen"]}
    first = (_number(request.POST.get("page", "")) - 1) * PER_PAGE
    elsewhere = pasting.from_ranges(request.POST.get("picked", ""), len(found)) - set(range(first, first + PER_PAGE))
    return elsewhere | pasting.from_ranges(",".join(request.POST.getlist("one")), len(found))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 and int(text) else 1


def _page_of(
    request: HttpRequest, found: list[extract.Found], shown: list[dict[str, Any]], picked: set[int]
) -> dict[str, Any]:
    for place, one in enumerate(shown):
        one |= {"place": place, "chosen": place in picked}
    wanted = request.POST.get("turn", request.POST.get("page", "")) if _same(request, found) else ""
    page: Page[Any] = Paginator(shown, PER_PAGE).get_page(_number(wanted))
    here = set(range(page.start_index() - 1, page.end_index()))
    return {
        "found": page.object_list,
        "total": len(found),
        "page": page,
        "mark": pasting.mark_of(found),
        "picked": pasting.as_ranges(picked),
        "elsewhere": len(picked - here),
        "read": True,
        "most": extract.MOST_FOUND,
    }


def _add(request: HttpRequest, case: Case, user: User, chosen: list[tuple[str, str]], form: ChosenForm) -> HttpResponse:
    try:
        done = pasting.choose(case=case, actor=user, chosen=chosen, **form.cleaned_data)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("ircase:indicators_paste", case.reference)
    if done.refused:
        messages.error(request, " ".join(done.refused[:_MOST_SAID]))
    already = f" {done.known} were there already." if done.known else ""
    messages.success(request, f"{done.added} indicator{'' if done.added == 1 else 's'} added.{already}")
    return redirect(reverse("ircase:entities", args=[case.reference]) + "#indicators")
