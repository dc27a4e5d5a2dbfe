"""The case's own pages, by area. Tabs that other apps own (hunts, Live Response) have their URLs there."""

from ircase.urls import administration, cases, evidence, reports, supertimeline

app_name = "ircase"
urlpatterns = [
    *cases.urlpatterns,
    *supertimeline.urlpatterns,
    *evidence.urlpatterns,
    *reports.urlpatterns,
    *administration.urlpatterns,
]
