"""What happened when: the case's curated timeline as a list, in lanes, as a picture, and from a file."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_POST

from ircase import access, attack
from ircase.curated import asking, bringin, bulk, files, picture, rows, spreadsheet, times
from ircase.curated.asking import EXTRAS, Filter
from ircase.forms.timeline import BringInForm, ManyEventsForm
from ircase.models import Case, Event
from ircase.pages import render_tab
from ircase.services.transfer import uploads
from ircase.services.vault import delivery
from ircase.services.writing import comments
from ircase.views.doors import case_to_change, say_errors

PER_PAGE = 100


@require_GET
@login_required
def timeline(request: HttpRequest, reference: str) -> HttpResponse:
    """The events that pass the address's filter, and what of the case's records was asked for beside them."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    problem = ""
    try:
        asked = asking.read(request.GET, user)
    except ValidationError as error:
        asked, problem = Filter(), " ".join(error.messages)
    address = reverse("ircase:timeline", args=[case.reference])
    found = rows.keys(case, asked)
    drawn = [(key.moment, key.lane) for key in found if key.what == "event"]
    others = rows.others(case)
    page = rows.page(case, found, request.GET.get("page"), PER_PAGE)
    context = {
        "page": page,
        "comment_counts": comments.counts(case, {"event": [row.event.uuid for row in page if row.event]}),
        "asked": asked,
        "chosen": {key: request.GET.get(key, "") for key in asking.KEYS},
        "kept": asking.kept(request.GET).urlencode(),
        "lists": asking.kept(request.GET, "view").urlencode(),
        "picture": picture.draw(drawn, address, asking.kept(request.GET, "lane", "since", "until")),
        "lanes": Event.Lane.choices,
        "extras": EXTRAS,
        "tactics": attack.release().tactics,
        "techniques": [attack.techniques().get(number, number) for number in others.techniques],
        "others": others,
        "filtered": asked.narrows,
        "many_form": ManyEventsForm(),
        "known": attack.techniques().values(),
        "zones": times.zones(),
        "bring_form": BringInForm(),
        "problem": problem,
    }
    return render_tab(request, case, "timeline", "case/timeline.html", context, status=422 if problem else 200)


@require_GET
@login_required
def timeline_csv(request: HttpRequest, reference: str) -> HttpResponseBase:
    """The events that pass the address's filter, for a spreadsheet."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    try:
        chunks = spreadsheet.hand_out(case=case, actor=user, asked=asking.read(request.GET, user))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("ircase:timeline", case.reference)
    return delivery.attachment(chunks, name=spreadsheet.name_of(case))


@require_POST
@login_required
def events_change(request: HttpRequest, reference: str) -> HttpResponse:
    """Change the chosen events at once, and go back to the list they were chosen in."""
    user, case = case_to_change(request, reference)
    form = ManyEventsForm(request.POST)
    if form.is_valid():
        try:
            uuids = [one for one in map(asking.uuid_of, request.POST.getlist("event")) if one]
            count = bulk.change_events(case=case, actor=user, uuids=uuids, **form.cleaned_data)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, f"{count} event{'' if count == 1 else 's'} changed.")
    else:
        say_errors(request, {name: [str(one) for one in said] for name, said in form.errors.items()})
    return redirect(_back(request, case))


def _back(request: HttpRequest, case: Case) -> str:
    address = reverse("ircase:timeline", args=[case.reference])
    wanted = f"{address}?{request.POST.get('kept', '')}"
    return wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else address


@csrf_exempt  # `_import` checks it, after the handler that takes the file is in place
@require_POST
@login_required
def timeline_import(request: HttpRequest, reference: str) -> HttpResponse:
    """Events of a file onto the timeline, or the lines that cannot be read."""
    _, case = case_to_change(request, reference)
    try:
        file = uploads.receive_one(request, files.MOST_BYTES)
    except (ValidationError, RequestDataTooBig) as error:
        messages.error(request, "; ".join(getattr(error, "messages", [str(error)])))
        return redirect("ircase:timeline", case.reference)
    response: HttpResponse = _import(request, case, file)
    return response


@csrf_protect
def _import(request: HttpRequest, case: Case, upload: uploads.Upload) -> HttpResponse:
    user = access.current_user(request)
    form = BringInForm(request.POST, {"file": upload})
    if not form.is_valid():
        say_errors(request, {name: [str(one) for one in said] for name, said in form.errors.items()})
        return redirect("ircase:timeline", case.reference)
    problems: list[str] = []
    try:
        data, zone = upload.read(files.MOST_BYTES + 1), form.cleaned_data["zone"]
        done = bringin.bring_in(case=case, actor=user, data=data, name=upload.name or "", zone=zone)
    except ValidationError as error:
        problems = error.messages
    else:
        doubles = f" {done.doubles} were there already." if done.doubles else ""
        messages.success(request, f"{done.added} event{'' if done.added == 1 else 's'} added.{doubles}")
        return redirect("ircase:timeline", case.reference)
    context = {"problems": problems, "name": upload.name, "bring_form": form, "zones": times.zones()}
    return render_tab(request, case, "timeline", "case/timeline_import.html", context, status=422)
