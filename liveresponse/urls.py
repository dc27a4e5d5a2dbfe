"""The Live Response tab of a case, its files and devices, the library of collections, and a tenant's scripts."""

from django.urls import path

from liveresponse.views import (
    analyses,
    batches,
    collections,
    definitions,
    devices,
    files,
    library,
    machine_actions,
    scripts,
)

app_name = "liveresponse"
_BASE = "cases/<str:reference>/live-response/"
_COLLECTION = "collections/<slug:collection_id>/"
_TENANT = "tenant-scripts/<int:pk>/"
_FILES = "cases/<str:reference>/files/"
_DEVICE = "cases/<str:reference>/devices/<str:device>/"
urlpatterns = [
    path("collections/", definitions.library, name="collection_library"),
    path("collections/new/", definitions.new, name="definition_new"),
    path("collections/import/", definitions.import_yaml, name="definition_import"),
    path(_COLLECTION, definitions.definition, name="definition"),
    path(f"{_COLLECTION}edit/", definitions.edit, name="definition_edit"),
    path(f"{_COLLECTION}versions/<int:number>/", definitions.version, name="definition_version"),
    path(f"{_COLLECTION}export/", definitions.export, name="definition_export"),
    path(f"{_COLLECTION}approve/", definitions.approve, name="definition_approve"),
    path(f"{_COLLECTION}retire/", definitions.retire, name="definition_retire"),
    path(f"{_COLLECTION}restore/", definitions.restore, name="definition_restore"),
    path(_TENANT, library.index, name="library"),
    path(f"{_TENANT}read/", library.read, name="library_read"),
    path(f"{_TENANT}upload/", library.upload, name="library_upload"),
    path(f"{_TENANT}own/<str:name>/", library.upload_own, name="library_own"),
    path(f"{_TENANT}files/<int:script>/", library.file, name="library_file"),
    path(f"{_TENANT}files/<int:script>/delete/", library.delete, name="library_delete"),
    path(_BASE, collections.panel, name="panel"),
    path(f"{_BASE}actions/", machine_actions.actions, name="actions"),
    path(f"{_BASE}batches/new/<slug:definition>/", batches.batch_request, name="batch_request"),
    path(f"{_BASE}batches/<uuid:uuid>/", batches.batch, name="batch"),
    path(f"{_BASE}batches/<uuid:uuid>/start/", batches.batch_start, name="batch_start"),
    path(f"{_BASE}batches/<uuid:uuid>/cancel/", batches.batch_cancel, name="batch_cancel"),
    path(f"{_BASE}batches/<uuid:uuid>/retry/", batches.batch_retry, name="batch_retry"),
    path(f"{_BASE}scripts/", scripts.scripts, name="scripts"),
    path(f"{_BASE}scripts/read/", scripts.read_library, name="read_library"),
    path(f"{_BASE}scripts/<int:pk>/approve/", scripts.grant_standing, name="grant_standing"),
    path(f"{_BASE}standing/<int:pk>/revoke/", scripts.revoke_standing, name="revoke_standing"),
    path(f"{_BASE}request/<slug:definition>/", collections.request_collection, name="request"),
    path(f"{_BASE}<uuid:uuid>/", collections.collection, name="collection"),
    path(f"{_BASE}<uuid:uuid>/cancel/", collections.cancel, name="cancel"),
    path(f"{_BASE}<uuid:uuid>/retry/", collections.retry, name="retry"),
    path(_FILES, files.files, name="files"),
    path(f"{_FILES}analyses/", analyses.analysis_new, name="analysis_new"),
    path(f"{_FILES}analyses/<uuid:uuid>/", analyses.analysis, name="analysis"),
    path(f"{_FILES}analyses/<uuid:uuid>/take/", analyses.analysis_take, name="analysis_take"),
    path(f"{_FILES}<str:digest>/", files.file, name="file"),
    path(f"{_FILES}<str:digest>/ask/", files.file_ask, name="file_ask"),
    path(f"{_FILES}<str:digest>/seal/", files.file_seal, name="file_seal"),
    path(f"{_FILES}<str:digest>/indicator/", files.file_indicator, name="file_indicator"),
    path(f"{_FILES}<str:digest>/verdict/", files.file_verdict, name="file_verdict"),
    path(_DEVICE, devices.device, name="device"),
    path(f"{_DEVICE}ask/", devices.device_ask, name="device_ask"),
    path(f"{_DEVICE}seal/", devices.device_seal, name="device_seal"),
    path(f"{_DEVICE}snapshots/", devices.device_snapshots, name="device_snapshots"),
]
