"""Search, the command palette, and saved views."""

from django.urls import path

from ircase.views import cases, palette, preferences, savedviews, search, tags

urlpatterns = [
    path("search/", search.search, name="search"),
    path("palette/", palette.palette, name="palette"),
    path("profile/keys/", preferences.profile_keys, name="profile_keys"),
    path("views/", savedviews.view_save, name="view_save"),
    path("views/<uuid:uuid>/", savedviews.view_change, name="view_change"),
    path("cases/export.csv", cases.case_list_csv, name="case_list_csv"),
    path("cases/<str:reference>/tags/", tags.case_tags, name="case_tags"),
]
