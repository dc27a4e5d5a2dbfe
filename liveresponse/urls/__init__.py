"""Live Response by area: collections and batches, response actions, files and devices, what a tenant's library holds."""

from liveresponse.urls import actions, collections, files, library

app_name = "liveresponse"
urlpatterns = [*library.urlpatterns, *actions.urlpatterns, *collections.urlpatterns, *files.urlpatterns]
