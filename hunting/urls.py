from django.urls import URLPattern

app_name = "hunting"
urlpatterns: list[URLPattern] = []
