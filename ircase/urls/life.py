"""A case's life beside its work: clocks, decisions, hand-overs, improvements, links and its close."""

from django.urls import URLPattern, path

from ircase.views import clocks, closing, deadlinerules, decisions, handovers, improvements, linking, splitting

_CASE = "cases/<str:reference>/"

urlpatterns: list[URLPattern] = [
    path("deadlines/", clocks.deadlines, name="deadlines"),
    path("deadlines/calendar.ics", clocks.deadlines_calendar, name="deadlines_calendar"),
    path("deadlines/mine/", clocks.my_deadlines, name="my_deadlines"),
    path("improvements/", improvements.improvements, name="improvements"),
    path("improvements/<uuid:uuid>/", improvements.improvement, name="improvement"),
    path("administration/deadlines/", deadlinerules.deadline_rules, name="deadline_rules"),
    path("administration/deadlines/levels/new/", deadlinerules.service_level, name="service_level_new"),
    path("administration/deadlines/levels/<int:pk>/", deadlinerules.service_level, name="service_level"),
    path(f"{_CASE}clocks/", clocks.clocks, name="clocks"),
    path(f"{_CASE}clocks/card/", clocks.clocks_card, name="clocks_card"),
    path(f"{_CASE}clocks/calendar.ics", clocks.clocks_calendar, name="clocks_calendar"),
    path(f"{_CASE}clocks/start/", clocks.clock_start, name="clock_start"),
    path(f"{_CASE}clocks/<uuid:uuid>/", clocks.clock, name="clock"),
    path(f"{_CASE}decisions/", decisions.decisions, name="decisions"),
    path(f"{_CASE}decisions/new/", decisions.decision_new, name="decision_new"),
    path(f"{_CASE}decisions/<uuid:uuid>/", decisions.decision, name="decision"),
    path(f"{_CASE}closing/", closing.closing, name="closing"),
    path(f"{_CASE}hand-overs/", handovers.handovers, name="handovers"),
    path(f"{_CASE}hand-overs/<uuid:uuid>/", handovers.handover, name="handover"),
    path(f"{_CASE}improvements/", improvements.case_improvements, name="case_improvements"),
    path(f"{_CASE}links/", linking.links, name="links"),
    path(f"{_CASE}links/<uuid:uuid>/remove/", linking.link_remove, name="link_remove"),
    path(f"{_CASE}links/<uuid:uuid>/undo/", linking.merge_undo, name="merge_undo"),
    path(f"{_CASE}merge/", linking.merge, name="merge"),
    path(f"{_CASE}split/", splitting.split, name="split"),
    path(f"{_CASE}like/", linking.case_like, name="case_like"),
]
