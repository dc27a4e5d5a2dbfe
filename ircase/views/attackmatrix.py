"""ATT&CK of a case, and the data behind it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, attack, attackmatrix
from ircase.models import AttackRelease
from ircase.pages import HUNT_LIBRARY, render_tab
from ircase.services.analysis import attackdata
from ircase.services.transfer import uploads
from ircase.views.guard import administrators_only

MOST_SHOWN = 20


@require_GET
@login_required
def attack_matrix(request: HttpRequest, reference: str) -> HttpResponse:
    """Tactics as columns, with what the case has of each technique; `all` shows the techniques it has nothing of."""
    case = access.get_case(access.current_user(request), reference)
    everything = request.GET.get("all") == "1"
    context = {
        "matrix": attackmatrix.matrix(case, everything=everything),
        "everything": everything,
        "library": HUNT_LIBRARY,
    }
    return render_tab(request, case, "timeline", "case/attack_matrix.html", context)


@csrf_exempt  # `_bring` checks it, after the handler that takes the file is in place
@require_http_methods(["GET", "POST"])
@administrators_only
def attack_data(request: HttpRequest) -> HttpResponse:
    """Which ATT&CK data is in use; a POST brings a newer one."""
    if request.method == "POST":
        try:
            file = uploads.receive_one(request, attackdata.MOST_BYTES)
        except (ValidationError, RequestDataTooBig) as error:
            messages.error(request, "; ".join(getattr(error, "messages", [str(error)])))
            return redirect("ircase:attack_data")
        response: HttpResponse = _bring(request, file)
        return response
    rows = list(AttackRelease.objects.select_related("uploaded_by")[:MOST_SHOWN])
    context = {
        "rows": rows,
        "in_use": attackdata.in_use(),
        "now": attack.release(),
        "waits": any(not row.is_final for row in rows),
        "most": attackdata.MOST_BYTES,
    }
    part = request.headers.get("HX-Request") and "part" in request.GET
    return render(request, "administration/_attack.html" if part else "administration/attack.html", context)


@csrf_protect
def _bring(request: HttpRequest, file: uploads.Upload) -> HttpResponse:
    try:
        attackdata.bring(actor=access.current_user(request), upload=file)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, "A worker reads the file.")
    finally:
        file.close()
    return redirect("ircase:attack_data")


@require_POST
@administrators_only
def attack_withdraw(request: HttpRequest, uuid: str) -> HttpResponse:
    row = get_object_or_404(AttackRelease, uuid=uuid)
    try:
        attackdata.withdraw(row=row, actor=access.current_user(request))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"{row.name} is used no more. In use: {attack.release().version}.")
    return redirect("ircase:attack_data")
