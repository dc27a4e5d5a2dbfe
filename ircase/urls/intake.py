"""Incidents: the queue, those of a case, the doors by which they come, and what is kept the same with Defender."""

from django.urls import URLPattern, path

from ircase.views import caseincidents, intake

_CASE = "cases/<str:reference>/incidents/"

urlpatterns: list[URLPattern] = [
    path("incidents/", intake.intake, name="intake"),
    path("incidents/sync/", intake.intake_sync, name="intake_sync"),
    path("incidents/dismiss/", intake.intake_dismiss, name="intake_dismiss"),
    path("incidents/<int:incident>/", intake.intake_item, name="intake_item"),
    path(_CASE, caseincidents.case_incidents, name="case_incidents"),
    path(f"{_CASE}<uuid:uuid>/", caseincidents.case_incident, name="case_incident"),
]
