"""The report of a case."""

from django.urls import URLPattern, path

from ircase.views import reports

_REPORT = "cases/<str:reference>/report/"

urlpatterns: list[URLPattern] = [
    path(_REPORT, reports.panel, name="report"),
    # The same name with a build's uuid: where the activity of a build leads.
    path(f"{_REPORT}<uuid:uuid>/", reports.build, name="report"),
    path(f"{_REPORT}<uuid:uuid>/cancel/", reports.cancel, name="report_cancel"),
    path(f"{_REPORT}<uuid:uuid>/<str:kind>/", reports.download, name="report_file"),
]
