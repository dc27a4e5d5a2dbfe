"""How a tab of the case is shown: the whole page, or only the panel when htmx asks for it."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from ircase import access
from ircase.models import Case, CaseRole

# (tab, label, URL name taking the case's reference). Named, not imported: the apps above own some of these pages.
TABS = (
    ("overview", "Overview", "ircase:case"),
    ("checklist", "Checklist", "ircase:checklist"),
    ("hunts", "Hunts", "hunting:panel"),
    ("notebooks", "Notebooks", "hunting:notebooks"),
    ("live-response", "Live Response", "liveresponse:panel"),
    ("response", "Response", "liveresponse:actions"),
    ("evidence", "Evidence", "ircase:evidence"),
    ("timeline", "Timeline", "ircase:timeline"),
    ("entities", "Entities", "ircase:entities"),
    ("notes", "Notes", "ircase:notes"),
    ("report", "Report", "ircase:report"),
    ("log", "Log", "ircase:log"),
)
# The hunts that take a value, `?kind=` and `?value=`; takes the case's reference.
HUNTS_FOR = "hunting:for_value"
# What a file and what a device is; they take the case's reference and a hash, or a device's name.
FILE_PAGE = "liveresponse:file"
DEVICE_PAGE = "liveresponse:device"
# The library of hunts, `?technique=`; takes nothing.
HUNT_LIBRARY = "hunting:library"
# One row of a run; takes the case's reference, the run's uuid and the row's number.
RUN_ROW = "hunting:run_row"


def render_tab(
    request: HttpRequest, case: Case, tab: str, template: str, context: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    """Render `template`, which extends `base` and fills the block `panel`.

    `base` is the whole case page, or only the panel when htmx replaces it: each tab is one template and one URL.
    Templates find: case, tab, tabs, may_write, may_lead, presence_on.
    """
    partial = bool(request.headers.get("HX-Request")) and not request.headers.get("HX-Boosted")
    values = {
        "base": "case/_panel.html" if partial else "case/shell.html",
        "case": case,
        "tab": tab,
        "tabs": TABS,
        "may_write": access.may(case, CaseRole.ANALYST) and case.is_open,
        "may_lead": access.may(case, CaseRole.LEAD),
        "presence_on": settings.PRESENCE,
        **(context or {}),
    }
    response = render(request, template, values, status=status)
    # One address, two answers: what a cache or the browser's Back keeps of one must not be shown as the other.
    patch_vary_headers(response, ["HX-Request"])
    return response
