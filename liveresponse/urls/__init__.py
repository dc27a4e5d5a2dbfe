"""Live Response by area: collections, response actions, files and devices, the libraries behind them."""

from liveresponse.urls import actions, collections, files, library

app_name = "liveresponse"
urlpatterns = [*library.urlpatterns, *actions.urlpatterns, *collections.urlpatterns, *files.urlpatterns]
