"""The case's own pages, by area. Tabs that other apps own (hunts, Live Response) have their URLs there."""

from ircase.urls import (
    administration,
    cases,
    checklist,
    custody,
    dashboard,
    evidence,
    finding,
    intake,
    life,
    notes,
    notices,
    people,
    playbooks,
    readiness,
    reports,
    sharing,
    supertimeline,
    timeline,
    work,
)

app_name = "ircase"
# Custody and finding first: cases/import/ and cases/export.csv would else be taken for a case of that name.
urlpatterns = [
    *custody.urlpatterns,
    *finding.urlpatterns,
    *cases.urlpatterns,
    *checklist.urlpatterns,
    *playbooks.urlpatterns,
    *intake.urlpatterns,
    *timeline.urlpatterns,
    *life.urlpatterns,
    *notes.urlpatterns,
    *notices.urlpatterns,
    *work.urlpatterns,
    *supertimeline.urlpatterns,
    *evidence.urlpatterns,
    *readiness.urlpatterns,
    *reports.urlpatterns,
    *dashboard.urlpatterns,
    *sharing.urlpatterns,
    *administration.urlpatterns,
    *people.urlpatterns,
]
