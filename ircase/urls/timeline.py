"""The curated timeline of a case, its ATT&CK matrix and the picture of who met whom."""

from django.urls import URLPattern, path

from ircase.views import attackmatrix, events, graph, timeline

_TIMELINE = "cases/<str:reference>/timeline/"

urlpatterns: list[URLPattern] = [
    path(_TIMELINE, timeline.timeline, name="timeline"),
    path(f"{_TIMELINE}add/", events.event_new, name="event_new"),
    path(f"{_TIMELINE}change/", timeline.events_change, name="events_change"),
    path(f"{_TIMELINE}csv/", timeline.timeline_csv, name="timeline_csv"),
    path(f"{_TIMELINE}import/", timeline.timeline_import, name="timeline_import"),
    path(f"{_TIMELINE}<uuid:uuid>/", events.event, name="event"),
    path(f"{_TIMELINE}<uuid:uuid>/remove/", events.event_remove, name="event_remove"),
    path("cases/<str:reference>/attack/", attackmatrix.attack_matrix, name="attack_matrix"),
    path("cases/<str:reference>/graph/", graph.graph, name="graph"),
    path("cases/<str:reference>/graph/data/", graph.graph_data, name="graph_data"),
    path("administration/attack/", attackmatrix.attack_data, name="attack_data"),
    path("administration/attack/<uuid:uuid>/withdraw/", attackmatrix.attack_withdraw, name="attack_withdraw"),
]
