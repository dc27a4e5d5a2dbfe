"""Work across cases."""

from django.urls import URLPattern, path

from ircase.views import worklist

urlpatterns: list[URLPattern] = [
    path("work/", worklist.work, name="work"),
    path("work/plan/", worklist.plan, name="work_plan"),
]
