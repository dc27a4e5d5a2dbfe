"""The Live Response and Response tabs of a case, and the kill switch."""

from django.urls import path

from liveresponse.views import actions, collections, freezing, scripts

app_name = "liveresponse"
_BASE = "cases/<str:reference>/live-response/"
_ACTIONS = "cases/<str:reference>/response/"
urlpatterns = [
    path("kill-switch/", freezing.freeze, name="freeze"),
    path("kill-switch/<int:pk>/thaw/", freezing.thaw, name="thaw"),
    path(_ACTIONS, actions.panel, name="actions"),
    path(f"{_ACTIONS}ask/<slug:kind>/", actions.ask, name="action_ask"),
    path(f"{_ACTIONS}<uuid:uuid>/", actions.action, name="action"),
    path(f"{_ACTIONS}<uuid:uuid>/cancel/", actions.cancel, name="action_cancel"),
    path(f"{_ACTIONS}<uuid:uuid>/review/", actions.review, name="action_review"),
    path(f"{_ACTIONS}<uuid:uuid>/contained/", actions.contained, name="action_contained"),
    path(f"{_ACTIONS}<uuid:uuid>/proof/<int:item>/", actions.prove, name="action_prove"),
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
