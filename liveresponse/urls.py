from django.urls import URLPattern

app_name = "liveresponse"
urlpatterns: list[URLPattern] = []
