"""What Defender did on a case's devices, whoever began it."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from ircase import access
from ircase.pages import render_tab
from liveresponse.models import ActionWatch
from liveresponse.services import machine_actions

PAGE = 100


@login_required
@require_GET
def actions(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    device, elsewhere = request.GET.get("device", "").strip(), bool(request.GET.get("elsewhere"))
    rows = machine_actions.of_device(case, device) if device else machine_actions.of_case(case)
    rows = rows.filter(ours=False) if elsewhere else rows
    context = {
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "device": device,
        "elsewhere": elsewhere,
        "watch": ActionWatch.objects.filter(connection=case.connection).first() if case.connection else None,
    }
    return render_tab(request, case, "live-response", "liveresponse/machine_actions.html", context)
