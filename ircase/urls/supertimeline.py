"""The super-timeline of a case: every table's rows that have a time."""

from django.urls import URLPattern, path

from ircase.views import supertimeline, timelineacts

_SUPER = "cases/<str:reference>/super-timeline/"

urlpatterns: list[URLPattern] = [
    path(_SUPER, supertimeline.super_timeline, name="super_timeline"),
    path(f"{_SUPER}state/", supertimeline.state, name="super_timeline_state"),
    path(f"{_SUPER}mappings/", supertimeline.mappings, name="super_timeline_mappings"),
    path(f"{_SUPER}build/", timelineacts.build, name="super_timeline_build"),
    path(f"{_SUPER}views/", timelineacts.view_save, name="super_timeline_views"),
    path(f"{_SUPER}views/<uuid:uuid>/remove/", timelineacts.view_remove, name="super_timeline_view_remove"),
    path(f"{_SUPER}rows/<uuid:uuid>/<int:number>/star/", timelineacts.star, name="super_timeline_star"),
    path(f"{_SUPER}rows/<uuid:uuid>/<int:number>/tags/", timelineacts.tags, name="super_timeline_tags"),
    path(f"{_SUPER}exports/", timelineacts.exports, name="super_timeline_exports"),
    path(f"{_SUPER}exports/<uuid:uuid>/", timelineacts.export, name="super_timeline_export"),
    path(f"{_SUPER}exports/<uuid:uuid>/file/", timelineacts.export_file, name="super_timeline_export_file"),
    path(f"{_SUPER}exports/<uuid:uuid>/manifest/", timelineacts.manifest, name="super_timeline_export_manifest"),
]
