"""Custody of an exhibit: the whole chain, who holds it, the acts, and the printed form."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.dossier import form as custody_form
from ircase.forms.custody import ActForm, PhysicalForm, ReturnForm, SealForm, TransferForm
from ircase.models import Case, CaseRole, CustodyBefore, Evidence, Transfer, User
from ircase.pages import render_tab
from ircase.report.typeset import TypesetError
from ircase.services.vault import custody, delivery, stamping, verification
from ircase.services.vault.custody import Said
from ircase.views.doors import attempt, case_to_change

PER_PAGE = 100
TAKEN = ("name", "what", "description", "serial", "sha256", "source", "acquired_by")
ACTS = {
    "transfer": ("Hand over", "It is handed over.", TransferForm),
    "return": ("Returned", "Custody says who has it now.", ReturnForm),
    "seal": ("Seal again", "The new seal is in custody.", SealForm),
    "view": ("Looked at", "Custody says that it was looked at.", ActForm),
}


def _find(request: HttpRequest, reference: str, uuid: UUID, needs: CaseRole = access.VIEWER) -> Evidence:
    case = access.get_case(access.current_user(request), reference, needs)
    item: Evidence = get_object_or_404(Evidence.objects.select_related("sealed_by"), case=case, uuid=uuid)
    item.case = case
    return item


@login_required
@require_GET
def chain(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The chain of one exhibit, oldest first, and what can be done with it."""
    return _show(request, _find(request, reference, uuid))


def _show(request: HttpRequest, item: Evidence, wrong: dict[str, Any] | None = None) -> HttpResponse:
    user = access.current_user(request)
    before = CustodyBefore.objects.filter(evidence=item)
    faults = list(verification.custody_of(item))
    context = {
        "item": item,
        "holding": custody.holding_of(item),
        "vouched": stamping.reach_of(f"evidence:{item.uuid}"),
        "page": Paginator(item.custody.all(), PER_PAGE).get_page(request.GET.get("page")),
        "before": Paginator(before, PER_PAGE).get_page(request.GET.get("before")),
        "faults": faults,
        "acts": [_act(name, item, user, wrong or {}) for name in ACTS],
        "user": user,
    }
    return render_tab(request, item.case, "evidence", "custody/chain.html", context, status=422 if wrong else 200)


def _act(name: str, item: Evidence, user: User, wrong: dict[str, Any]) -> dict[str, Any]:
    label, _, _ = ACTS[name]
    return {"name": name, "label": label, "form": wrong.get(name) or _form(name, item, user), "open": name in wrong}


def _form(name: str, item: Evidence, user: User, data: Any = None) -> Any:
    kind = ACTS[name][2]
    more = {"case": item.case, "giver": user} if kind is TransferForm else {}
    return kind(data, prefix=name, **more)


@login_required
@require_POST
def act(request: HttpRequest, reference: str, uuid: UUID, name: str) -> HttpResponse:
    """One act: hand over, return, seal again, look at."""
    user, case = case_to_change(request, reference)
    item = get_object_or_404(Evidence.objects.select_related("sealed_by"), case=case, uuid=uuid)
    item.case = case
    if name not in ACTS:
        return redirect("ircase:custody", reference, uuid)
    form = _form(name, item, user, request.POST)
    if not form.is_valid():
        return _show(request, item, {name: form})
    if not attempt(request, ACTS[name][1], _doing(name, item, user, form.cleaned_data)):
        return _show(request, item, {name: form})
    return redirect("ircase:custody", reference, uuid)


def _doing(name: str, item: Evidence, user: User, data: dict[str, Any]) -> Callable[[], object]:
    said = said_of(data)
    if name == "transfer" and data["receiver"]:
        return partial(custody.hand_over, item=item, actor=user, receiver=data["receiver"], said=said)
    if name == "transfer":
        words = {"receiver": data["outsider"], "acknowledged": data["acknowledged"]}
        return partial(custody.hand_outside, item=item, actor=user, said=said, **words)
    if name == "return":
        return partial(custody.give_back, item=item, actor=user, holder=data["holder"], said=said)
    return partial(custody.seal_again if name == "seal" else custody.look_at, item=item, actor=user, said=said)


def said_of(data: dict[str, Any]) -> Said:
    return Said(data["purpose"], data["place"], data["happened_at"], data["seal"])


@login_required
@require_http_methods(["GET", "POST"])
def take(request: HttpRequest, reference: str) -> HttpResponse:
    """A thing that is no file comes into custody."""
    user, case = case_to_change(request, reference)
    form = PhysicalForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        facts = {name: data[name] for name in TAKEN}
        try:
            item = custody.take(case=case, actor=user, said=said_of(data), **facts)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("ircase:custody", reference, item.uuid)
    status = 422 if request.method == "POST" else 200
    return render_tab(request, case, "evidence", "custody/take.html", {"form": form}, status=status)


@login_required
@require_POST
def decide(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The receiver's word on a transfer, or the giver's change of mind."""
    user = access.current_user(request)
    case: Case = access.get_case(user, reference)
    transfer = get_object_or_404(Transfer.objects.select_related("evidence"), evidence__case=case, uuid=uuid)
    said = {"confirm": "You have it now; custody says so.", "refuse": "You refused it."}
    name, comment = request.POST.get("act", ""), request.POST.get("comment", "")[:500]
    doing = partial(custody.decide, transfer=transfer, actor=user, act=name, comment=comment)
    attempt(request, said.get(name, "It is withdrawn."), doing)
    return redirect("ircase:custody", reference, transfer.evidence.uuid)


@login_required
@require_GET
def printed(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponseBase:
    """The custody form as PDF."""
    item = _find(request, reference, uuid)
    try:
        content = custody_form.pdf_of(item, prepared_by=access.current_user(request).name)
    except TypesetError as error:
        attempt(request, "", partial(_fail, str(error)))
        return redirect("ircase:custody", reference, uuid)
    name = f"{item.case.reference}_{item.exhibit}_custody.pdf"
    return delivery.attachment(iter([content]), name=name, size=len(content))


def _fail(text: str) -> None:
    raise ValidationError(text)
