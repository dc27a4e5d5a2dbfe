"""The URL table."""

from django.urls import include, path

from config.api import api
from ircase.admin import site

urlpatterns = [
    path("", include("ircase.urls")),
    path("", include("hunting.urls")),
    path("", include("liveresponse.urls")),
    path("api/v1/", api.urls),
    path("administration/data/", site.urls),
]
handler400 = "ircase.views.problems.bad_request"
handler403 = "ircase.views.problems.forbidden"
handler404 = "ircase.views.problems.not_found"
handler500 = "ircase.views.problems.server_error"
