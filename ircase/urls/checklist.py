"""The checklist of a case: its two orders, its items, its gaps, its playbook; and the way through the phases' gates."""

from django.urls import URLPattern, path

from ircase.views import caseplan, checklist, phase

_CASE = "cases/<str:reference>/"
_LIST = f"{_CASE}checklist/"

urlpatterns: list[URLPattern] = [
    path(f"{_CASE}phase/", phase.case_phase, name="case_phase"),
    path(_LIST, checklist.checklist, name="checklist"),
    path(f"{_LIST}view/", checklist.checklist_view, name="checklist_view"),
    path(f"{_LIST}gaps/", checklist.gaps, name="checklist_gaps"),
    path(f"{_LIST}playbook/", caseplan.checklist_playbook, name="checklist_playbook"),
    path(f"{_LIST}add/", checklist.checklist_add, name="checklist_add"),
    path(f"{_LIST}<int:item>/", checklist.checklist_item, name="checklist_item"),
]
