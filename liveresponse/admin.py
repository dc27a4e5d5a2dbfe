"""Collections, response actions and the kill switch in Django's own administration: to read."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from ircase import access
from ircase.admin import ReadOnly, site
from ircase.models import Case
from liveresponse.models import (
    ActionRecord,
    Batch,
    Collection,
    CollectionVersion,
    FileAnalysis,
    Freeze,
    LibraryChange,
    LibraryScript,
    Lookup,
    ResponseAction,
)


@admin.register(Collection, site=site)
class CollectionAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "definition", "device", "state", "requested_by", "status_text")
    list_filter = ("state", "definition")
    search_fields = ("device",)


@admin.register(Batch, site=site)
class BatchAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "title", "origin", "state", "connection")
    list_filter = ("state",)


@admin.register(ResponseAction, site=site)
class ResponseActionAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "kind", "target", "state", "effect", "requested_by", "break_glass")
    list_filter = ("kind", "state", "effect", "break_glass")
    search_fields = ("target",)


@admin.register(Lookup, site=site)
class LookupAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "kind", "key", "state", "requested_by", "requested_at")
    list_filter = ("kind", "state")


@admin.register(FileAnalysis, site=site)
class FileAnalysisAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "file_hash", "state", "requested_by")


@admin.register(Freeze, site=site)
class FreezeAdmin(ReadOnly):
    list_display = ("scope", "reason", "frozen_by", "frozen_at", "thawed_by", "thawed_at")


@admin.register(CollectionVersion, site=site)
class CollectionVersionAdmin(ReadOnly):
    list_display = ("saved", "number", "needs_review", "author")


@admin.register(LibraryScript, site=site)
class LibraryScriptAdmin(ReadOnly):
    list_display = ("connection", "name", "sha256", "seen_at")
    list_filter = ("connection",)


@admin.register(LibraryChange, site=site)
class LibraryChangeAdmin(ReadOnly):
    list_display = ("connection", "name", "kind", "state", "before_sha256", "after_sha256")
    list_filter = ("kind", "state")
    exclude = ("content",)


@admin.register(ActionRecord, site=site)
class ActionRecordAdmin(ReadOnly):
    """Defender's log. What one of our cases began is shown to its members alone."""

    list_display = ("connection", "type", "status", "device", "requestor", "created_at")
    list_filter = ("type", "status")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        visible = Case.objects.visible_to(access.current_user(request)).values("pk")
        return super().get_queryset(request).filter(Q(case=None, ours=False) | Q(case__in=visible))
