"""Django's own administration, mostly to read: what is true is changed by services, which log it.

Administrators have no case content by their role: rows that belong to a case are shown only where they are members.
"""

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from ircase import access
from ircase.models import (
    ApiToken,
    Approval,
    Case,
    CaseExport,
    CaseImport,
    CaseTable,
    Connection,
    CustodyEntry,
    Destruction,
    Evidence,
    Handling,
    LegalHold,
    LogEntry,
    ParseJob,
    PreparationItem,
    Preview,
    RetentionPolicy,
    RetentionReview,
    SigningKey,
    StandingApproval,
    Statement,
    TimelineBuild,
    TimelineExport,
    Transfer,
    Upload,
    User,
)
from ircase.services import log

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class IrcaseAdminSite(admin.AdminSite):
    """Behind the same sign-in as every page, for administrators."""

    site_header = site_title = "IRCase data"
    index_title = "Mostly to read"
    enable_nav_sidebar = False
    name = "admin"

    def has_permission(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.is_active and request.user.administers

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """There is one sign-in page, and who is signed in and no administrator is told so."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            access.require_administrator(access.current_user(request))
            response: HttpResponse = inner(request, *args, **kwargs)
            return response

        return login_required(guarded)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("ircase:sign_in")


site = IrcaseAdminSite(name="admin")


class ReadOnly(_ModelAdmin):
    """Rows to look at. `case_path` leads to the case they belong to; where it is empty, they belong to none."""

    case_path = ""
    show_full_result_count = False
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = super().get_queryset(request)
        if not self.case_path:
            return found
        visible = Case.objects.visible_to(access.current_user(request)).values("pk")
        return found.filter(**{f"{self.case_path}__in": visible})

    def has_module_permission(self, request: HttpRequest) -> bool:
        return site.has_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(User, site=site)
class UserAdmin(ReadOnly):
    list_display = ("username", "first_name", "last_name", "site_role", "is_active", "last_login")
    list_filter = ("site_role", "is_active")
    search_fields = ("username", "first_name", "last_name")
    fields = ("username", "first_name", "last_name", "email", "site_role", "time_zone", "is_active", "last_login")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """People of this site: who stands for somebody on an imported case would betray that there is one."""
        return super().get_queryset(request).filter(elsewhere=None)


@admin.register(ApiToken, site=site)
class ApiTokenAdmin(ReadOnly):
    list_display = ("user", "name", "created_at", "expires_at", "last_used_at", "revoked_at")
    fields = list_display


@admin.register(Connection, site=site)
class ConnectionAdmin(ReadOnly):
    list_display = ("name", "enabled", "read_only", "tenant_id", "preflight_at")
    exclude = ("secret_encrypted",)


@admin.register(Case, site=site)
class CaseAdmin(ReadOnly):
    case_path = "pk"
    list_display = ("reference", "title", "severity", "phase", "opened_at", "closed_at")
    search_fields = ("reference", "title")


@admin.register(Evidence, site=site)
class EvidenceAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "exhibit", "name", "kind", "size", "integrity", "sealed_at")
    list_filter = ("kind", "integrity")
    search_fields = ("name", "sha256")


@admin.register(CustodyEntry, site=site)
class CustodyAdmin(ReadOnly):
    case_path = "evidence__case"
    list_display = ("evidence", "sequence", "at", "action", "actor_name")


@admin.register(CaseTable, site=site)
class CaseTableAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "name", "row_count", "evidence")


@admin.register(ParseJob, site=site)
class ParseJobAdmin(ReadOnly):
    case_path = "evidence__case"
    list_display = ("evidence", "state", "attempt", "heartbeat_at", "reason")


@admin.register(Approval, site=site)
class ApprovalAdmin(ReadOnly):
    case_path = "case"
    list_display = ("title", "case", "state", "requested_by", "decided_by", "expires_at")


@admin.register(StandingApproval, site=site)
class StandingApprovalAdmin(ReadOnly):
    list_display = ("script_name", "script_sha256", "connection", "granted_by", "expires_at", "revoked_at")


@admin.register(Transfer, site=site)
class TransferAdmin(ReadOnly):
    case_path = "evidence__case"
    list_display = ("evidence", "giver", "receiver_name", "state", "offered_at", "decided_at")
    list_filter = ("state",)


@admin.register(CaseExport, site=site)
class CaseExportAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "state", "requested_by", "receiver", "size", "queued_at", "removed_at")
    list_filter = ("state",)


@admin.register(CaseImport, site=site)
class CaseImportAdmin(ReadOnly):
    """What is on its way in belongs to no case yet: only how far it is, not what it is called."""

    list_display = ("uuid", "state", "attempt", "size", "queued_at", "finished_at")
    list_filter = ("state",)
    fields = ("uuid", "state", "attempt", "size", "requested_by", "queued_at", "finished_at", "heartbeat_at")


@admin.register(Upload, site=site)
class UploadAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "name", "size", "state", "attempt", "begun_at", "expires_at")
    list_filter = ("state",)
    exclude = ("wish",)


@admin.register(Handling, site=site)
class HandlingAdmin(ReadOnly):
    case_path = "evidence__case"
    list_display = ("evidence", "form", "danger", "mark", "marked_by", "marked_at")
    list_filter = ("mark", "danger")


@admin.register(Preview, site=site)
class PreviewAdmin(ReadOnly):
    case_path = "evidence__case"
    list_display = ("evidence", "kind", "state", "attempt", "reason")
    list_filter = ("kind", "state")


@admin.register(LegalHold, site=site)
class LegalHoldAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "evidence", "reason", "placed_by", "placed_at", "lifted_at")


@admin.register(RetentionPolicy, site=site)
class RetentionPolicyAdmin(ReadOnly):
    list_display = ("name", "days", "tlp", "classification", "kind", "enabled", "changed_by", "changed_at")


@admin.register(RetentionReview, site=site)
class RetentionReviewAdmin(ReadOnly):
    case_path = "evidence__case"
    list_display = ("evidence", "by", "at", "keep_until", "reason")


@admin.register(Destruction, site=site)
class DestructionAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "state", "requested_by", "requested_at", "certificate")
    list_filter = ("state",)


@admin.register(Statement, site=site)
class StatementAdmin(ReadOnly):
    list_display = ("number", "at", "digest", "key")


@admin.register(SigningKey, site=site)
class SigningKeyAdmin(ReadOnly):
    list_display = ("key_id", "public_key", "made_at", "retired_at")
    fields = list_display


@admin.register(TimelineBuild, site=site)
class TimelineBuildAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "state", "attempt", "reason", "queued_at", "finished_at")


@admin.register(TimelineExport, site=site)
class TimelineExportAdmin(ReadOnly):
    case_path = "case"
    list_display = ("case", "kind", "state", "requested_by", "queued_at")


@admin.register(LogEntry, site=site)
class LogAdmin(ReadOnly):
    list_display = ("at", "chain", "sequence", "actor_name", "action")
    list_filter = ("action",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        visible = Case.objects.visible_to(access.current_user(request)).values("pk")
        found = super().get_queryset(request)
        return found.filter(chain="site") | found.filter(case__in=visible)


@admin.register(PreparationItem, site=site)
class PreparationAdmin(ReadOnly):
    """What the organisation prepares before any incident: the one table that is kept here."""

    list_display = ("position", "title", "owner", "due_at", "done_at")
    list_display_links = ("title",)
    fields = ("key", "position", "title", "csf_outcome", "owner", "due_at", "done_at", "result")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return site.has_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return site.has_permission(request)

    def save_model(self, request: HttpRequest, obj: PreparationItem, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        action = "preparation.changed" if change else "preparation.added"
        log.record(action, actor=access.current_user(request), item=obj.key, fields=sorted(form.changed_data))
