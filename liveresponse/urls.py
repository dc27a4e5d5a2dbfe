"""The Live Response tab of a case."""

from django.urls import path

from liveresponse.views import collections, scripts

app_name = "liveresponse"
_BASE = "cases/<str:reference>/live-response/"
urlpatterns = [
    path(_BASE, collections.panel, name="panel"),
    path(f"{_BASE}scripts/", scripts.scripts, name="scripts"),
    path(f"{_BASE}scripts/read/", scripts.read_library, name="read_library"),
    path(f"{_BASE}scripts/<int:pk>/approve/", scripts.grant_standing, name="grant_standing"),
    path(f"{_BASE}standing/<int:pk>/revoke/", scripts.revoke_standing, name="revoke_standing"),
    path(f"{_BASE}request/<slug:definition>/", collections.request_collection, name="request"),
    path(f"{_BASE}<uuid:uuid>/", collections.collection, name="collection"),
    path(f"{_BASE}<uuid:uuid>/cancel/", collections.cancel, name="cancel"),
    path(f"{_BASE}<uuid:uuid>/retry/", collections.retry, name="retry"),
]
