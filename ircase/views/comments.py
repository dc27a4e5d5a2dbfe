"""Comments on a thing of the case: a panel that its page loads, and the same as a page of its own."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, markdown
from ircase.forms.notes import CommentForm
from ircase.models import Case, Comment, User
from ircase.pages import render_tab
from ircase.services.writing import comments as service
from ircase.views.doors import case_to_change

PER_PAGE = 50
# The tab under which the page of its own stands.
_TABS = {
    "checklist": "checklist", "evidence": "evidence", "event": "timeline", "indicator": "entities", "asset": "entities",
    "device": "entities", "file": "entities", "note": "notes", "run": "hunts", "notebook": "notebooks",
    "collection": "live-response", "action": "response",
}  # fmt: skip


@require_http_methods(["GET", "POST"])
@login_required
def comments(request: HttpRequest, reference: str, kind: str, subject: str) -> HttpResponse:
    """With htmx and `?part=1`, or after writing, only the panel; the last page first."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    about = service.find(case, kind, subject)
    if about is None and not Comment.objects.filter(case=case, kind=kind, subject=subject).exists():
        raise Http404("No such thing.")
    if request.method == "GET":
        return _panel(request, case, user, kind, subject)
    user, case = case_to_change(request, reference)
    form = CommentForm(request.POST)
    if form.is_valid():
        try:
            made = service.write(case=case, actor=user, kind=kind, subject=subject, body=form.cleaned_data["body"])
        except ValidationError as error:
            form.add_error(None, " ".join(error.messages))
        else:
            if request.headers.get("HX-Request"):
                return _panel(request, case, user, kind, subject, said="Your comment is there.")
            return redirect(f"{service.page_of(made)}#comment-{made.uuid}")
    return _panel(request, case, user, kind, subject, form=form, status=422)


def _panel(
    request: HttpRequest,
    case: Case,
    user: User,
    kind: str,
    subject: str,
    *,
    form: CommentForm | None = None,
    said: str = "",
    status: int = 200,
) -> HttpResponse:
    rows = Comment.objects.filter(case=case, kind=kind, subject=subject).select_related("author", "resolved_by")
    pages = Paginator(rows, PER_PAGE)
    page = pages.get_page(request.GET.get("page") or pages.num_pages)
    room = markdown.room_for([row.body for row in page], case, user)
    about = service.find(case, kind, subject)
    context: dict[str, Any] = {
        "case": case, "kind": kind, "subject": subject, "about": about, "label": service.label_of(kind), "page": page,
        "lines": [{"comment": row, "html": markdown.render(row.body, room)} for row in page],
        "open_questions": rows.filter(resolved_at=None).count(),
        "form": form or CommentForm(auto_id="new-comment-%s"), "said": said, "person": user,
        "may_comment": access.may(case, access.ANALYST) and case.is_open and about is not None,
    }  # fmt: skip
    if request.headers.get("HX-Request") and ("part" in request.GET or request.method == "POST"):
        return render(request, "comments/_panel.html", context, status=status)
    return render_tab(request, case, _TABS.get(kind, "overview"), "comments/page.html", context, status=status)


def find(case: Case, uuid: UUID) -> Comment:
    found = Comment.objects.filter(case=case, uuid=uuid).select_related("author", "resolved_by").first()
    if found is None:
        raise Http404("No such comment.")
    found.case = case
    return found


@require_http_methods(["GET", "POST"])
@login_required
def comment_edit(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Its author writes it anew. What was saved meanwhile is shown beside what was typed."""
    user, case = case_to_change(request, reference)
    comment = find(case, uuid)
    if comment.author_id != user.pk:
        raise PermissionDenied("Only who wrote a comment edits it. Answer with one of your own.")
    auto_id, initial = f"comment-{uuid}-%s", {"body": comment.body, "version": comment.version}
    form = CommentForm(request.POST or None, initial=initial, auto_id=auto_id)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            comment = service.edit(comment=comment, actor=user, body=data["body"], version=data["version"] or 0)
        except service.CommentConflict as conflict:
            fresh = {"body": data["body"], "version": conflict.comment.version}
            form = CommentForm(initial=fresh, auto_id=auto_id)
            return _edit(request, case, comment, form, theirs=conflict.comment.body, status=422)
        except ValidationError as error:
            form.add_error(None, " ".join(error.messages))
        else:
            return _one(request, case, user, comment)
    return _edit(request, case, comment, form, status=422 if form.errors else 200)


def _edit(
    request: HttpRequest, case: Case, comment: Comment, form: CommentForm, theirs: str = "", status: int = 200
) -> HttpResponse:
    context = {"case": case, "comment": comment, "form": form, "theirs": theirs}
    if request.headers.get("HX-Request"):
        return render(request, "comments/_edit.html", context, status=status)
    return render_tab(request, case, _TABS.get(comment.kind, "overview"), "comments/edit.html", context, status=status)


def _one(request: HttpRequest, case: Case, user: User, comment: Comment) -> HttpResponse:
    if not request.headers.get("HX-Request"):
        return redirect(f"{service.page_of(comment)}#comment-{comment.uuid}")
    html = markdown.render(comment.body, markdown.room_for([comment.body], case, user))
    context = {
        "case": case, "comment": comment, "html": html, "person": user,
        "may_comment": access.may(case, access.ANALYST) and case.is_open,
    }  # fmt: skip
    return render(request, "comments/_comment.html", context)


@require_GET
@login_required
def comment(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One comment: the fragment that replaces its form, or its place on the page of them all."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    return _one(request, case, user, find(case, uuid))


@require_POST
@login_required
def comment_resolve(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """`open=1` opens it again."""
    user, case = case_to_change(request, reference)
    found = service.resolve(comment=find(case, uuid), actor=user, resolved=request.POST.get("open") != "1")
    return _one(request, case, user, find(case, found.uuid))


@require_GET
@login_required
def comment_history(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The texts that a comment had before."""
    case = access.get_case(access.current_user(request), reference)
    found = find(case, uuid)
    context = {"comment": found, "revisions": found.revisions.order_by("-version")[:200]}
    if request.headers.get("HX-Request"):
        return render(request, "comments/_history.html", {"case": case, **context})
    return render_tab(request, case, _TABS.get(found.kind, "overview"), "comments/history.html", context)
