"""The hunts tab, runs below their case, and the library."""

from django.urls import path

from hunting.views import attach, comparing, editor, importing, library, packs, panel, rows, runs, saving, sweeps

app_name = "hunting"
_HUNT = "hunts/<slug:hunt_id>/"
_IMPORT = "hunt-imports/<uuid:uuid>/"
_CASE = "cases/<str:reference>/hunts/"
_RUN = f"{_CASE}<uuid:uuid>/"

urlpatterns = [
    path("hunts/", library.library, name="library"),
    path("hunts/new/", saving.hunt_new, name="hunt_new"),
    path("hunts/schema/", editor.library_schema, name="library_schema"),
    path("hunts/check/", editor.library_check, name="library_check"),
    path("hunts/value/", editor.library_value, name="library_value"),
    path("hunts/<slug:hunt_id>/", library.hunt, name="hunt"),
    path(f"{_HUNT}edit/", saving.hunt_edit, name="hunt_edit"),
    path(f"{_HUNT}versions/<int:number>/", library.hunt_version, name="hunt_version"),
    path(f"{_HUNT}versions/<int:number>/restore/", saving.version_restore, name="version_restore"),
    path(f"{_HUNT}compare/", library.hunt_compare, name="hunt_compare"),
    path(f"{_HUNT}export/", library.hunt_export, name="hunt_export"),
    path(f"{_HUNT}approve/", saving.hunt_approve, name="hunt_approve"),
    path(f"{_HUNT}retire/", saving.hunt_retire, name="hunt_retire"),
    path(f"{_HUNT}restore/", saving.hunt_restore, name="hunt_restore"),
    path("hunt-imports/", importing.import_list, name="import_list"),
    path("hunt-imports/path/", importing.import_path, name="import_path"),
    path(_IMPORT, importing.imported, name="imported"),
    path(f"{_IMPORT}choose/", importing.import_choose, name="import_choose"),
    path(f"{_IMPORT}cancel/", importing.import_cancel, name="import_cancel"),
    path(f"{_IMPORT}refused/", importing.import_refused, name="import_refused"),
    path(f"{_IMPORT}items/<int:number>/", importing.import_item, name="import_item"),
    path("hunt-packs/new/", packs.pack_new, name="pack_new"),
    path("hunt-packs/<slug:pack_id>/", packs.pack, name="pack"),
    path("hunt-packs/<slug:pack_id>/edit/", packs.pack_edit, name="pack_edit"),
    path("hunt-packs/<slug:pack_id>/export/", packs.pack_export, name="pack_export"),
    path("hunt-packs/<slug:pack_id>/retire/", packs.pack_retire, name="pack_retire"),
    path("hunt-packs/<slug:pack_id>/restore/", packs.pack_restore, name="pack_restore"),
    path(_CASE, panel.panel, name="panel"),
    path(f"{_CASE}runs/", panel.run_list, name="run_list"),
    path(f"{_CASE}own-kql/", attach.own_kql, name="own_kql"),
    path(f"{_CASE}schema/", editor.schema, name="schema"),
    path(f"{_CASE}check/", editor.check, name="check"),
    path(f"{_CASE}value/", editor.value, name="value"),
    path(f"{_CASE}attach/<slug:hunt_id>/", attach.attach_hunt, name="attach"),
    path(f"{_CASE}packs/<slug:pack_id>/", panel.run_pack, name="run_pack"),
    path(f"{_CASE}pack-runs/<uuid:uuid>/", packs.pack_run, name="pack_run"),
    path(f"{_CASE}pack-runs/<uuid:uuid>/stop/", packs.pack_run_stop, name="pack_run_stop"),
    path(f"{_CASE}sweeps/", sweeps.sweep_new, name="sweep_new"),
    path(f"{_CASE}sweeps/<uuid:uuid>/", sweeps.sweep, name="sweep"),
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
