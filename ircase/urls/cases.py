"""Sign-in, my work, the list of cases and the tabs of a case that are the case's own."""

from django.urls import URLPattern, path

from ircase.views import cases, checklist, entities, intake, leading, log, mywork, notes, people, timeline

_CASE = "cases/<str:reference>/"

urlpatterns: list[URLPattern] = [
    path("", mywork.my_work, name="my_work"),
    path("notices/read/", mywork.notices_read, name="notices_read"),
    path("notices/<uuid:uuid>/", mywork.notice_open, name="notice"),
    path("sign-in/", people.sign_in, name="sign_in"),
    path("sign-out/", people.sign_out, name="sign_out"),
    path("profile/", people.profile, name="profile"),
    path("profile/password/", people.profile_password, name="profile_password"),
    path("profile/tokens/", people.profile_token, name="profile_token"),
    path("profile/tokens/<int:token>/revoke/", people.profile_token_revoke, name="profile_token_revoke"),
    path("incidents/", intake.intake, name="intake"),
    path("incidents/sync/", intake.intake_sync, name="intake_sync"),
    path("incidents/<int:incident>/", intake.intake_item, name="intake_item"),
    path("cases/", cases.case_list, name="case_list"),
    path("cases/new/", cases.case_new, name="case_new"),
    path("cases/join/", cases.case_join, name="case_join"),
    path(_CASE, cases.case, name="case"),
    path(f"{_CASE}edit/", cases.case_edit, name="case_edit"),
    path(f"{_CASE}summary/", cases.case_summary, name="case_summary"),
    path(f"{_CASE}phase/", leading.case_phase, name="case_phase"),
    path(f"{_CASE}close/", leading.case_close, name="case_close"),
    path(f"{_CASE}reopen/", leading.case_reopen, name="case_reopen"),
    path(f"{_CASE}confidentiality/", leading.case_confidentiality, name="case_confidentiality"),
    path(f"{_CASE}connection/", leading.case_connection, name="case_connection"),
    path(f"{_CASE}milestones/", leading.case_milestone, name="case_milestone"),
    path(f"{_CASE}members/", leading.case_member, name="case_member"),
    path(f"{_CASE}members/<str:username>/remove/", leading.case_member_remove, name="case_member_remove"),
    path(f"{_CASE}checklist/", checklist.checklist, name="checklist"),
    path(f"{_CASE}checklist/add/", checklist.checklist_add, name="checklist_add"),
    path(f"{_CASE}checklist/<int:item>/", checklist.checklist_item, name="checklist_item"),
    path(f"{_CASE}timeline/", timeline.timeline, name="timeline"),
    path(f"{_CASE}timeline/add/", timeline.event_new, name="event_new"),
    path(f"{_CASE}timeline/<uuid:uuid>/", timeline.event, name="event"),
    path(f"{_CASE}timeline/<uuid:uuid>/remove/", timeline.event_remove, name="event_remove"),
    path(f"{_CASE}entities/", entities.entities, name="entities"),
    path(f"{_CASE}entities/assets/", entities.asset_new, name="asset_new"),
    path(f"{_CASE}entities/indicators/", entities.indicators_new, name="indicators_new"),
    path(f"{_CASE}entities/assets/<uuid:uuid>/", entities.asset, name="asset"),
    path(f"{_CASE}entities/indicators/<uuid:uuid>/", entities.indicator, name="indicator"),
    path(f"{_CASE}notes/", notes.notes, name="notes"),
    path(f"{_CASE}notes/new/", notes.note_new, name="note_new"),
    path(f"{_CASE}notes/<uuid:uuid>/", notes.note, name="note"),
    path(f"{_CASE}notes/<uuid:uuid>/edit/", notes.note_edit, name="note_edit"),
    path(f"{_CASE}notes/<uuid:uuid>/revisions/<int:revision>/", notes.note_revision, name="note_revision"),
    path(f"{_CASE}log/", log.log, name="log"),
]
