"""Readiness of connections, contacts, and exercises."""

from django.urls import URLPattern, path

from ircase.views import contacts, exercises, readiness

_CASE = "cases/<str:reference>/"
_OF = "readiness/<int:pk>/"

urlpatterns: list[URLPattern] = [
    path("readiness/", readiness.index, name="readiness"),
    path(_OF, readiness.connection, name="readiness_connection"),
    path(f"{_OF}plan/", readiness.plan, name="readiness_plan"),
    path(f"{_OF}settings/<str:key>/", readiness.setting, name="readiness_setting"),
    path(f"{_OF}parts/<str:part>/", readiness.part, name="readiness_part"),
    path("contacts/", contacts.index, name="contacts"),
    path("contacts/contacts.pdf", contacts.printed, name="contacts_pdf"),
    path("contacts/new/", contacts.new, name="contact_new"),
    path("contacts/<uuid:uuid>/", contacts.contact, name="contact"),
    path("contacts/<uuid:uuid>/act/", contacts.act, name="contact_act"),
    path(f"{_CASE}contacts/", contacts.of_case, name="case_contacts"),
    path("exercises/", exercises.index, name="exercises"),
    path(f"{_CASE}exercise/", exercises.exercise, name="exercise"),
    path(f"{_CASE}exercise/live/", exercises.live, name="exercise_live"),
    path(f"{_CASE}exercise/act/", exercises.act, name="exercise_act"),
    path(f"{_CASE}exercise/debrief/<str:kind>/", exercises.debrief, name="exercise_debrief"),
]
