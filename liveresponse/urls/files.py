"""What a file is and what a device is, as one case sees them."""

from django.urls import path

from liveresponse.views import analyses, devices, files

_FILES = "cases/<str:reference>/files/"
_DEVICE = "cases/<str:reference>/devices/<str:device>/"
urlpatterns = [
    path(_FILES, files.files, name="files"),
    path(f"{_FILES}analyses/", analyses.analysis_new, name="analysis_new"),
    path(f"{_FILES}analyses/<uuid:uuid>/", analyses.analysis, name="analysis"),
    path(f"{_FILES}analyses/<uuid:uuid>/take/", analyses.analysis_take, name="analysis_take"),
    path(f"{_FILES}<str:digest>/", files.file, name="file"),
    path(f"{_FILES}<str:digest>/ask/", files.file_ask, name="file_ask"),
    path(f"{_FILES}<str:digest>/seal/", files.file_seal, name="file_seal"),
    path(f"{_FILES}<str:digest>/indicator/", files.file_indicator, name="file_indicator"),
    path(f"{_FILES}<str:digest>/verdict/", files.file_verdict, name="file_verdict"),
    path(_DEVICE, devices.device, name="device"),
    path(f"{_DEVICE}ask/", devices.device_ask, name="device_ask"),
    path(f"{_DEVICE}seal/", devices.device_seal, name="device_seal"),
    path(f"{_DEVICE}snapshots/", devices.device_snapshots, name="device_snapshots"),
]
