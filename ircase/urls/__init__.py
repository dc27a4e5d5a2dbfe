"""The case's own pages, by area. Tabs that other apps own (hunts, Live Response) have their URLs there."""

from ircase.urls import (
    administration,
    cases,
    checklist,
    custody,
    evidence,
    finding,
    intake,
    life,
    notes,
    people,
    playbooks,
    readiness,
    reports,
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
    *work.urlpatterns,
    *supertimeline.urlpatterns,
    *evidence.urlpatterns,
    *readiness.urlpatterns,
    *reports.urlpatterns,
    *administration.urlpatterns,
    *people.urlpatterns,
]
