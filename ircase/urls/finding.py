"""Search, the command palette, and saved views."""

from django.urls import path

from ircase.views import palette, savedviews, search

urlpatterns = [
    path("search/", search.search, name="search"),
    path("palette/", palette.palette, name="palette"),
    path("views/", savedviews.view_save, name="view_save"),
    path("views/<uuid:uuid>/", savedviews.view_change, name="view_change"),
]
