"""The library of collections, and the script library of a tenant."""

from django.urls import path

from liveresponse.views import definitions, library, readiness

_COLLECTION = "collections/<slug:collection_id>/"
_TENANT = "tenant-scripts/<int:pk>/"
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
    path("readiness/<int:pk>/try/", readiness.try_it, name="readiness_try"),
    path(_TENANT, library.index, name="library"),
    path(f"{_TENANT}read/", library.read, name="library_read"),
    path(f"{_TENANT}upload/", library.upload, name="library_upload"),
    path(f"{_TENANT}own/<str:name>/", library.upload_own, name="library_own"),
    path(f"{_TENANT}files/<int:script>/", library.file, name="library_file"),
    path(f"{_TENANT}files/<int:script>/delete/", library.delete, name="library_delete"),
]
