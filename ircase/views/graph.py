"""Who met whom on a case: the picture's data, and the list that says the same."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from ircase import access, entitygraph
from ircase.curated import asking
from ircase.curated.asking import Filter
from ircase.entitygraph import Graph, Node
from ircase.models import Case, Event
from ircase.pages import render_tab

KEYS = ("lane", "since", "until", "tactic", "technique", "tag", "kind")
LISTED = 200


@require_GET
@login_required
def graph(request: HttpRequest, reference: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference)
    problem = ""
    try:
        found = _graph(request, case)
    except ValidationError as error:
        found, problem = Graph((), ()), " ".join(error.messages)
    query = request.GET.copy()
    for key in set(query) - set(KEYS):
        del query[key]
    listed = [(one, _url(case, one), found.neighbours.get(one.id, ())[:8]) for one in found.nodes[:LISTED]]
    context: dict[str, Any] = {
        "graph": found,
        "listed": listed,
        "more": max(len(found.nodes) - LISTED, 0),
        "most": entitygraph.MOST_NODES,
        "lanes": Event.Lane.choices,
        "kinds": sorted(found.kinds.items()),
        "chosen": {key: request.GET.get(key, "") for key in KEYS},
        "chosen_kinds": request.GET.getlist("kind"),
        "kept": query.urlencode(),
        "filtered": bool(query),
        "problem": problem,
    }
    return render_tab(request, case, "entities", "case/graph.html", context, status=422 if problem else 200)


@require_GET
@login_required
def graph_data(request: HttpRequest, reference: str) -> HttpResponse:
    """The same as JSON, for the drawing."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    try:
        found = _graph(request, case)
    except ValidationError as error:
        return JsonResponse({"detail": " ".join(error.messages)}, status=422)
    return JsonResponse(as_json(case, found))


def _graph(request: HttpRequest, case: Case) -> Graph:
    user = access.current_user(request)
    asked: Filter = asking.read(request.GET, user)
    return entitygraph.graph(case, asked, request.GET.getlist("kind"))


def as_json(case: Case, found: Graph) -> dict[str, Any]:
    return {
        "nodes": [
            {"id": one.id, "role": one.role, "kind": one.kind, "kind_words": one.kind_words, "label": one.label,
             "state": one.state, "state_words": one.state_words, "degree": one.degree, "events": one.events,
             "url": _url(case, one)}
            for one in found.nodes
        ],
        "edges": [
            {"source": one.source, "target": one.target, "kind": one.kind, "count": one.count,
             "first": one.first.isoformat(), "last": one.last.isoformat()}
            for one in found.edges
        ],
        "left_out": found.left_out,
        "cut": found.cut,
    }  # fmt: skip


def _url(case: Case, node: Node) -> str:
    return reverse(f"ircase:{node.role}", args=[case.reference, node.uuid])
