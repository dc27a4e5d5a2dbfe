"""The Live Response tab of a case."""

from django.urls import path

from liveresponse import views

app_name = "liveresponse"
_BASE = "cases/<str:reference>/live-response/"
urlpatterns = [
    path(_BASE, views.panel, name="panel"),
    path(f"{_BASE}scripts/", views.scripts, name="scripts"),
    path(f"{_BASE}scripts/read/", views.read_library, name="read_library"),
    path(f"{_BASE}scripts/<int:pk>/approve/", views.grant_standing, name="grant_standing"),
    path(f"{_BASE}standing/<int:pk>/revoke/", views.revoke_standing, name="revoke_standing"),
    path(f"{_BASE}request/<slug:definition>/", views.request_collection, name="request"),
    path(f"{_BASE}<uuid:uuid>/", views.collection, name="collection"),
    path(f"{_BASE}<uuid:uuid>/cancel/", views.cancel, name="cancel"),
    path(f"{_BASE}<uuid:uuid>/retry/", views.retry, name="retry"),
]
