"""The hunts tab, runs below their case, and the library."""

from django.urls import path

from hunting.views import (
    attach,
    batches,
    cells,
    comparing,
    editor,
    library,
    notebooks,
    panel,
    rows,
    runs,
    source_tables,
    sweeps,
    watches,
)

app_name = "hunting"
_CASE = "cases/<str:reference>/hunts/"
_RUN = f"{_CASE}<uuid:uuid>/"
_NOTEBOOKS = "cases/<str:reference>/notebooks/"
_NOTEBOOK = f"{_NOTEBOOKS}<uuid:uuid>/"
_CELL = f"{_NOTEBOOK}cells/<uuid:cell>/"

urlpatterns = [
    path("hunts/", library.library, name="library"),
    path("hunts/watches/", watches.my_watches, name="my_watches"),
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
    path(f"{_CASE}watches/", watches.watches, name="watches"),
    path(f"{_CASE}watches/resume/", watches.watches_resume, name="watches_resume"),
    path(f"{_CASE}watches/<uuid:uuid>/", watches.watch, name="watch"),
    path(f"{_CASE}watches/<uuid:uuid>/act/", watches.watch_act, name="watch_act"),
    path(_RUN, runs.run, name="run"),
    path(f"{_RUN}watch/", watches.watch_new, name="watch_new"),
    path(f"{_RUN}state/", runs.run_state, name="run_state"),
    path(f"{_RUN}cancel/", runs.run_cancel, name="run_cancel"),
    path(f"{_RUN}retry/", runs.run_retry, name="run_retry"),
    path(f"{_RUN}conclude/", runs.run_conclude, name="run_conclude"),
    path(f"{_RUN}rows/", rows.run_rows, name="run_rows"),
    path(f"{_RUN}rows/<int:number>/", rows.run_row, name="run_row"),
    path(f"{_RUN}indicators/", rows.run_bulk, name="run_bulk"),
    path(f"{_RUN}compare/", comparing.compare, name="compare"),
    path(f"{_CASE}for/", comparing.for_value, name="for_value"),
    path(_NOTEBOOKS, notebooks.notebooks, name="notebooks"),
    path(f"{_NOTEBOOKS}import/", notebooks.notebook_import, name="notebook_import"),
    path(_NOTEBOOK, notebooks.notebook, name="notebook"),
    path(f"{_NOTEBOOK}rename/", notebooks.notebook_rename, name="notebook_rename"),
    path(f"{_NOTEBOOK}export/", notebooks.notebook_export, name="notebook_export"),
    path(f"{_NOTEBOOK}run/", notebooks.notebook_run, name="notebook_run"),
    path(f"{_NOTEBOOK}cancel/", notebooks.notebook_cancel, name="notebook_cancel"),
    path(f"{_NOTEBOOK}state/", notebooks.notebook_state, name="notebook_state"),
    path(f"{_NOTEBOOK}cells/", cells.cell_add, name="cell_add"),
    path(_CELL, cells.cell, name="cell"),
    path(f"{_CELL}edit/", cells.cell_edit, name="cell_edit"),
    path(f"{_CELL}run/", cells.cell_run, name="cell_run"),
    path(f"{_CELL}cancel/", cells.cell_cancel, name="cell_cancel"),
    path(f"{_CELL}result/", cells.cell_result, name="cell_result"),
    path(f"{_CELL}history/", cells.cell_history, name="cell_history"),
    path(f"{_CELL}move/", cells.cell_move, name="cell_move"),
    path(f"{_CELL}remove/", cells.cell_remove, name="cell_remove"),
    path(f"{_CELL}restore/", cells.cell_restore, name="cell_restore"),
]
