"""Incidents: the queue, those of a case, the doors by which they come, and what is kept the same with Defender."""

from django.urls import URLPattern, path

from ircase.views import caseincidents, incidentdoors, incidentfiles, incidentsync, intake

_CASE = "cases/<str:reference>/incidents/"

urlpatterns: list[URLPattern] = [
    path("incidents/", intake.intake, name="intake"),
    path("incidents/sync/", intake.intake_sync, name="intake_sync"),
    path("incidents/dismiss/", intake.intake_dismiss, name="intake_dismiss"),
    path("incidents/<int:incident>/", intake.intake_item, name="intake_item"),
    path("incidents/files/", incidentfiles.index, name="incident_files"),
    path("incidents/files/<uuid:uuid>/", incidentfiles.item, name="incident_file"),
    path("hooks/incidents/<uuid:uuid>/", incidentdoors.hook, name="incident_hook"),
    path("administration/incident-sources/", incidentdoors.index, name="incident_sources"),
    path("administration/incident-sources/new/", incidentdoors.new, name="incident_source_new"),
    path("administration/incident-sources/<int:pk>/", incidentdoors.source, name="incident_source"),
    path("administration/incident-sources/<int:pk>/secret/", incidentdoors.secret, name="incident_source_secret"),
    path("administration/connections/<int:pk>/sync/", incidentsync.connection_sync, name="connection_sync"),
    path(f"{_CASE}sync/", incidentsync.case_sync, name="case_sync"),
    path(f"{_CASE}<uuid:uuid>/tell/", incidentsync.case_incident_tell, name="case_incident_tell"),
    path(f"{_CASE}conflicts/<uuid:uuid>/", incidentsync.case_sync_choice, name="case_sync_choice"),
    path(_CASE, caseincidents.case_incidents, name="case_incidents"),
    path(f"{_CASE}<uuid:uuid>/", caseincidents.case_incident, name="case_incident"),
]
