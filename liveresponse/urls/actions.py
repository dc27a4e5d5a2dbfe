"""The Response tab of a case, and the kill switch."""

from django.urls import path

from liveresponse.views import actions, freezing

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
]
