"""News, how people want to be told, and the hooks."""

from django.urls import URLPattern, path

from ircase.views import casehooks, hooks, notices, notifications

_CASE = "cases/<str:reference>/notifications/"
_SITE = "administration/notifications/"

urlpatterns: list[URLPattern] = [
    path("notices/", notices.index, name="notices"),
    path("notices/bell/", notices.bell, name="notices_bell"),
    path("notices/read/", notices.read, name="notices_read"),
    path("notices/<uuid:uuid>/", notices.notice, name="notice"),
    path("profile/notifications/", notifications.page, name="notifications"),
    path("profile/notifications/test/", notifications.test, name="notifications_test"),
    path("profile/address/", notifications.address_again, name="address_again"),
    path("profile/address/<str:token>/", notifications.address_confirm, name="address_confirm"),
    path(_CASE, casehooks.page, name="case_telling"),
    path(f"{_CASE}mute/", casehooks.mute, name="case_mute"),
    path(f"{_CASE}hooks/new/", casehooks.new, name="case_hook_new"),
    path(f"{_CASE}hooks/<uuid:uuid>/", casehooks.hook, name="case_hook"),
    path(f"{_CASE}hooks/<uuid:uuid>/secret/", casehooks.secret, name="case_hook_secret"),
    path(f"{_CASE}hooks/<uuid:uuid>/remove/", casehooks.remove, name="case_hook_remove"),
    path(_SITE, hooks.index, name="hooks"),
    path(f"{_SITE}hooks/new/", hooks.new, name="hook_new"),
    path(f"{_SITE}hooks/<uuid:uuid>/", hooks.hook, name="hook"),
    path(f"{_SITE}hooks/<uuid:uuid>/secret/", hooks.secret, name="hook_secret"),
    path(f"{_SITE}hooks/<uuid:uuid>/remove/", hooks.remove, name="hook_remove"),
    path(f"{_SITE}deliveries/<uuid:uuid>/again/", hooks.again, name="delivery_again"),
]
