"""The Live Response tab of a case: collections, batches of them, what Defender did, and standing approvals."""

from django.urls import path

from liveresponse.views import batches, collections, machine_actions, scripts

_BASE = "cases/<str:reference>/live-response/"
urlpatterns = [
    path(_BASE, collections.panel, name="panel"),
    path(f"{_BASE}actions/", machine_actions.actions, name="machine_actions"),
    path(f"{_BASE}batches/new/<slug:definition>/", batches.batch_request, name="batch_request"),
    path(f"{_BASE}batches/<uuid:uuid>/", batches.batch, name="batch"),
    path(f"{_BASE}batches/<uuid:uuid>/start/", batches.batch_start, name="batch_start"),
    path(f"{_BASE}batches/<uuid:uuid>/cancel/", batches.batch_cancel, name="batch_cancel"),
    path(f"{_BASE}batches/<uuid:uuid>/retry/", batches.batch_retry, name="batch_retry"),
    path(f"{_BASE}scripts/", scripts.scripts, name="scripts"),
    path(f"{_BASE}scripts/read/", scripts.read_library, name="read_library"),
    path(f"{_BASE}scripts/<int:pk>/approve/", scripts.grant_standing, name="grant_standing"),
    path(f"{_BASE}standing/<int:pk>/revoke/", scripts.revoke_standing, name="revoke_standing"),
    path(f"{_BASE}request/<slug:definition>/", collections.request_collection, name="request"),
    path(f"{_BASE}<uuid:uuid>/", collections.collection, name="collection"),
    path(f"{_BASE}<uuid:uuid>/cancel/", collections.cancel, name="cancel"),
    path(f"{_BASE}<uuid:uuid>/go-on/", collections.go_on, name="go_on"),
    path(f"{_BASE}<uuid:uuid>/retry/", collections.retry, name="retry"),
]
