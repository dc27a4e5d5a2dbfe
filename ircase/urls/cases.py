"""Sign-in, my work, the list of cases and the tabs of a case that are the case's own."""

from django.urls import URLPattern, path

from ircase.views import cases, entities, harmless, indicators, leading, log, mywork, pasting, people

_CASE = "cases/<str:reference>/"

urlpatterns: list[URLPattern] = [
    path("", mywork.my_work, name="my_work"),
    path("profile/", people.profile, name="profile"),
    path("profile/password/", people.profile_password, name="profile_password"),
    path("profile/tokens/", people.profile_token, name="profile_token"),
    path("profile/tokens/<int:token>/revoke/", people.profile_token_revoke, name="profile_token_revoke"),
    path("cases/", cases.case_list, name="case_list"),
    path("cases/new/", cases.case_new, name="case_new"),
    path("cases/join/", cases.case_join, name="case_join"),
    path(_CASE, cases.case, name="case"),
    path(f"{_CASE}edit/", cases.case_edit, name="case_edit"),
    path(f"{_CASE}summary/", cases.case_summary, name="case_summary"),
    path(f"{_CASE}reopen/", leading.case_reopen, name="case_reopen"),
    path(f"{_CASE}confidentiality/", leading.case_confidentiality, name="case_confidentiality"),
    path(f"{_CASE}connection/", leading.case_connection, name="case_connection"),
    path(f"{_CASE}milestones/", leading.case_milestone, name="case_milestone"),
    path(f"{_CASE}members/", leading.case_member, name="case_member"),
    path(f"{_CASE}members/<str:username>/remove/", leading.case_member_remove, name="case_member_remove"),
    path(f"{_CASE}entities/", entities.entities, name="entities"),
    path(f"{_CASE}entities/assets/", entities.asset_new, name="asset_new"),
    path(f"{_CASE}entities/indicators/", entities.indicators_new, name="indicators_new"),
    path(f"{_CASE}entities/assets/<uuid:uuid>/", entities.asset, name="asset"),
    path(f"{_CASE}entities/assets/<uuid:uuid>/remove/", entities.asset_remove, name="asset_remove"),
    path(f"{_CASE}entities/indicators/<uuid:uuid>/", indicators.indicator, name="indicator"),
    path(f"{_CASE}entities/indicators/paste/", pasting.indicators_paste, name="indicators_paste"),
    path(f"{_CASE}entities/indicators/change/", indicators.indicators_change, name="indicators_change"),
    path(f"{_CASE}entities/indicators/look/", indicators.indicators_look, name="indicators_look"),
    path("harmless/", harmless.harmless_list, name="harmless"),
    path("harmless/<uuid:uuid>/withdraw/", harmless.harmless_withdraw, name="harmless_withdraw"),
    path(f"{_CASE}log/", log.log, name="log"),
]
