"""Coming in, one's own account, teams, rules of access, who sees a case, and what was done."""

from django.urls import path

from ircase.views import audit, caseaccess, factor, fresh, passkeys, persons, policies, signin, teams

_PERSON = "administration/people/<int:pk>/"
_CASE = "cases/<str:reference>/access/"

urlpatterns = [
    path("sign-in/", signin.sign_in, name="sign_in"),
    path("sign-in/code/", signin.code, name="sign_in_code"),
    path("sign-in/code/options/", signin.code_options, name="sign_in_code_options"),
    path("sign-in/passkey/", signin.passkey, name="sign_in_passkey"),
    path("sign-in/passkey/options/", signin.passkey_options, name="sign_in_passkey_options"),
    path("sign-in/entra/", signin.to_entra, name="entra"),
    path("sign-in/entra/back/", signin.entra_back, name="entra_back"),
    path("sign-in/entra/left/", signin.front_channel, name="entra_left"),
    path("sign-in/go-on/", fresh.go_on, name="go_on"),
    path("sign-out/", signin.sign_out, name="sign_out"),
    path("signed-out/", signin.signed_out, name="signed_out"),
    path("set-password/<str:uidb64>/<str:token>/", signin.set_password, name="set_password"),
    path("profile/second-factor/", factor.factor, name="factor"),
    path("profile/second-factor/codes/", factor.factor_codes, name="factor_codes"),
    path("profile/second-factor/remove/", factor.factor_remove, name="factor_remove"),
    path("profile/second-factor/passkeys/new/", passkeys.new, name="passkey_new"),
    path("profile/second-factor/passkeys/options/", passkeys.options, name="passkey_options"),
    path("profile/second-factor/passkeys/proof/", passkeys.prove_options, name="passkey_proof"),
    path("profile/second-factor/passkeys/<uuid:uuid>/remove/", passkeys.remove, name="passkey_remove"),
    path("profile/sessions/end/", factor.sessions_end, name="sessions_end"),
    path("profile/sessions/<uuid:uuid>/end/", factor.session_end, name="session_end"),
    path("administration/people/sessions/end/", persons.everyones_sessions, name="everyones_sessions"),
    path(f"{_PERSON}sessions/end/", persons.sessions_of, name="person_sessions"),
    path(f"{_PERSON}second-factor/remove/", persons.factor, name="person_factor"),
    path(f"{_PERSON}passkeys/<uuid:uuid>/remove/", persons.passkey, name="person_passkey"),
    path(f"{_PERSON}tokens/<int:token>/revoke/", persons.token_revoke, name="person_token"),
    path("administration/teams/", teams.index, name="teams"),
    path("administration/teams/<int:pk>/", teams.team, name="team"),
    path("administration/teams/<int:pk>/people/", teams.add, name="team_add"),
    path("administration/teams/<int:pk>/people/<int:person>/remove/", teams.remove, name="team_remove"),
    path("administration/teams/<int:pk>/remove/", teams.remove_team, name="team_gone"),
    path("administration/sign-in/", policies.provider_page, name="signin_provider"),
    path("administration/policies/", policies.rules_page, name="policies"),
    path("administration/access/", policies.access_page, name="site_access"),
    path("audit/", audit.index, name="audit"),
    path("audit/export/", audit.export, name="audit_export"),
    path(_CASE, caseaccess.page, name="case_access"),
    path(f"{_CASE}teams/", caseaccess.team, name="case_team"),
    path(f"{_CASE}teams/<int:pk>/remove/", caseaccess.team_remove, name="case_team_remove"),
    path(f"{_CASE}review/", caseaccess.review, name="case_access_review"),
]
