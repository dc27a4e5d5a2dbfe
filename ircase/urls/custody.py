"""Custody of an exhibit, exports of a case, imports, and the signed statements."""

from django.urls import path

from ircase.views import caseexports

_EXPORTS = "cases/<str:reference>/exports/"

urlpatterns = [
    path(_EXPORTS, caseexports.exports, name="case_exports"),
    path(f"{_EXPORTS}<uuid:uuid>/", caseexports.export, name="case_export"),
    path(f"{_EXPORTS}<uuid:uuid>/download/", caseexports.download, name="case_export_file"),
    path(f"{_EXPORTS}<uuid:uuid>/cancel/", caseexports.cancel, name="case_export_cancel"),
    path(f"{_EXPORTS}<uuid:uuid>/remove/", caseexports.remove, name="case_export_remove"),
]
