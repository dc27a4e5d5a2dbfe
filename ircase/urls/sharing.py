"""A case for others, and indicators out of their files."""

from django.urls import URLPattern, path

from ircase.views import indicatorfiles, sharing

_SHARES = "cases/<str:reference>/sharing/"

urlpatterns: list[URLPattern] = [
    path(_SHARES, sharing.shares, name="shares"),
    path(f"{_SHARES}<uuid:uuid>/", sharing.share, name="share"),
    path(f"{_SHARES}<uuid:uuid>/file/", sharing.download, name="share_file"),
    path(f"{_SHARES}<uuid:uuid>/cancel/", sharing.cancel, name="share_cancel"),
    path(f"{_SHARES}<uuid:uuid>/remove/", sharing.remove, name="share_remove"),
    path("cases/<str:reference>/indicators/file/", indicatorfiles.indicators_file, name="indicators_file"),
]
