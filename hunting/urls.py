"""The hunts tab, runs below their case, and the library."""

from django.urls import path

from hunting.views import attach, batches, comparing, editor, library, panel, pushes, rows, runs, source_tables, sweeps

app_name = "hunting"
_CASE = "cases/<str:reference>/hunts/"
_RUN = f"{_CASE}<uuid:uuid>/"

urlpatterns = [
    path("hunts/", library.library, name="library"),
    path("hunts/<slug:hunt_id>/", library.hunt, name="hunt"),
    path(_CASE, panel.panel, name="panel"),
    path(f"{_CASE}runs/", panel.run_list, name="run_list"),
    path(f"{_CASE}own-kql/", attach.own_kql, name="own_kql"),
    path(f"{_CASE}schema/", editor.schema, name="schema"),
    path(f"{_CASE}tables/<slug:source>/", source_tables.source_tables, name="source_tables"),
    path(f"{_CASE}check/", editor.check, name="check"),
    path(f"{_CASE}value/", editor.value, name="value"),
    path(f"{_CASE}attach/<slug:hunt_id>/", attach.attach_hunt, name="attach"),
    path(f"{_CASE}packs/<slug:pack_id>/", panel.run_pack, name="run_pack"),
    path(f"{_CASE}sweeps/", sweeps.sweep_new, name="sweep_new"),
    path(f"{_CASE}sweeps/<uuid:uuid>/", sweeps.sweep, name="sweep"),
    path(f"{_CASE}together/<uuid:uuid>/", batches.batch, name="batch"),
    path(f"{_CASE}together/<uuid:uuid>/state/", batches.batch_state, name="batch_state"),
    path(f"{_CASE}together/<uuid:uuid>/export/", batches.batch_export, name="batch_export"),
    path(f"{_CASE}cluster/", pushes.cluster, name="cluster"),
    path(f"{_CASE}cluster/copy/", pushes.push_new, name="push_new"),
    path(f"{_CASE}cluster/remove/", pushes.push_remove, name="push_remove"),
    path(f"{_CASE}cluster/<uuid:uuid>/", pushes.push, name="push"),
    path(f"{_CASE}cluster/<uuid:uuid>/cancel/", pushes.push_cancel, name="push_cancel"),
    path(_RUN, runs.run, name="run"),
    path(f"{_RUN}state/", runs.run_state, name="run_state"),
    path(f"{_RUN}cancel/", runs.run_cancel, name="run_cancel"),
    path(f"{_RUN}retry/", runs.run_retry, name="run_retry"),
    path(f"{_RUN}conclude/", runs.run_conclude, name="run_conclude"),
    path(f"{_RUN}rows/", rows.run_rows, name="run_rows"),
    path(f"{_RUN}rows/<int:number>/", rows.run_row, name="run_row"),
    path(f"{_RUN}indicators/", rows.run_bulk, name="run_bulk"),
    path(f"{_RUN}compare/", comparing.compare, name="compare"),
    path(f"{_CASE}for/", comparing.for_value, name="for_value"),
]
