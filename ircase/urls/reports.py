"""The report of a case."""

from django.urls import URLPattern, path

from ircase.views import reportlook, reports

_REPORT = "cases/<str:reference>/report/"

urlpatterns: list[URLPattern] = [
    path("administration/reports/", reportlook.look, name="report_look"),
    path("administration/reports/logo/", reportlook.logo, name="report_logo"),
    path(_REPORT, reports.panel, name="report"),
    path(f"{_REPORT}answers/", reports.answers, name="report_answers"),
    path(f"{_REPORT}key/", reports.key, name="report_key"),
    # The same name with a build's uuid: where the activity of a build leads.
    path(f"{_REPORT}<uuid:uuid>/", reports.build, name="report"),
    path(f"{_REPORT}<uuid:uuid>/cancel/", reports.cancel, name="report_cancel"),
    path(f"{_REPORT}<uuid:uuid>/changes/", reports.changes, name="report_changes"),
    path(f"{_REPORT}<uuid:uuid>/review/", reports.review, name="report_review"),
    path(f"{_REPORT}<uuid:uuid>/sign/", reports.sign, name="report_sign"),
    path(f"{_REPORT}<uuid:uuid>/<str:kind>/", reports.download, name="report_file"),
]
