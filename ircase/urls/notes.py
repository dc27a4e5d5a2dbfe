"""Notes, comments, who is there, and what helps while somebody writes."""

from django.urls import URLPattern, path

from ircase.views import comments, merging, notes, presence, writing

_CASE = "cases/<str:reference>/"
_NOTE = f"{_CASE}notes/<uuid:uuid>/"
_COMMENT = f"{_CASE}comment/<uuid:uuid>/"

urlpatterns: list[URLPattern] = [
    path("session/", writing.session, name="session"),
    path(f"{_CASE}presence/", presence.here, name="presence"),
    path(f"{_CASE}notes/", notes.notes, name="notes"),
    path(f"{_CASE}notes/new/", notes.note_new, name="note_new"),
    path(_NOTE, notes.note, name="note"),
    path(f"{_NOTE}edit/", notes.note_edit, name="note_edit"),
    path(f"{_NOTE}writing/", presence.note_writing, name="note_writing"),
    path(f"{_NOTE}place/", notes.note_place, name="note_place"),
    path(f"{_NOTE}archive/", notes.note_archive, name="note_archive"),
    path(f"{_NOTE}compare/", merging.note_compare, name="note_compare"),
    path(f"{_NOTE}revisions/<int:revision>/", merging.note_revision, name="note_revision"),
    path(f"{_NOTE}revisions/<int:revision>/restore/", merging.note_restore, name="note_restore"),
    path(f"{_NOTE}merge/<int:revision>/", merging.note_merge, name="note_merge"),
    path(f"{_CASE}comments/<slug:kind>/<str:subject>/", comments.comments, name="comments"),
    path(_COMMENT, comments.comment, name="comment"),
    path(f"{_COMMENT}edit/", comments.comment_edit, name="comment_edit"),
    path(f"{_COMMENT}resolve/", comments.comment_resolve, name="comment_resolve"),
    path(f"{_COMMENT}history/", comments.comment_history, name="comment_history"),
    path(f"{_CASE}writing/preview/", writing.preview, name="preview"),
    path(f"{_CASE}writing/people/", writing.people, name="people_to_name"),
    path(f"{_CASE}drafts/<str:place>/", writing.draft, name="draft"),
]
