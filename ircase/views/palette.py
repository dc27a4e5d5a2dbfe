"""The command palette: the lines alone for the dialog, a page of its own without script."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from ircase import access, finder
from ircase.palette import commands


@require_GET
@login_required
def palette(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    text = finder.cleaned(request.GET.get("q", ""))[:200]
    groups = commands(user, text, finder.cleaned(request.GET.get("case", ""))[:20].upper())
    part = bool(request.headers.get("HX-Request"))
    context = {"text": text, "groups": groups, "many": sum(len(group.lines) for group in groups)}
    response = render(request, "ircase/_palette_lines.html" if part else "ircase/palette.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response
