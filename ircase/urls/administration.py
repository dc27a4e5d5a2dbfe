"""Approvals, administration, and the two addresses that watch dogs ask."""

from django.urls import path

from ircase.views import administration, approvals, connections, health, persons, preparation, storage

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("approvals/", approvals.inbox, name="approvals"),
    path("approvals/<uuid:uuid>/", approvals.approval, name="approval"),
    path("administration/", administration.overview, name="administration"),
    path("administration/health/", administration.health, name="health"),
    path("administration/storage/", storage.storage, name="storage"),
    path("administration/retention/", storage.policies, name="retention_policies"),
    path("administration/retention/<int:pk>/", storage.policy, name="retention_policy"),
    path("administration/log/", administration.site_log, name="site_log"),
    path("administration/connections/", connections.index, name="connections"),
    path("administration/connections/new/", connections.new, name="connection_new"),
    path("administration/connections/<int:pk>/", connections.connection, name="connection"),
    path("administration/connections/<int:pk>/preflight/", connections.preflight, name="connection_preflight"),
    path("administration/preparation/", preparation.index, name="preparation"),
    path("administration/preparation/<int:pk>/", preparation.item, name="preparation_item"),
    path("administration/people/", persons.index, name="people"),
    path("administration/people/new/", persons.new, name="person_new"),
    path("administration/people/<int:pk>/", persons.person, name="person"),
    path("administration/people/<int:pk>/active/", persons.active, name="person_active"),
    path("administration/people/<int:pk>/password/", persons.password, name="person_password"),
]
