"""The library of playbooks, which is the site's."""

from django.urls import URLPattern, path

from ircase.views import playbookedit, playbooks

_ONE = "playbooks/<slug:slug>/"

urlpatterns: list[URLPattern] = [
    path("playbooks/", playbooks.library, name="playbooks"),
    path("playbooks/new/", playbookedit.new, name="playbook_new"),
    path(_ONE, playbooks.playbook, name="playbook"),
    path(f"{_ONE}edit/", playbookedit.edit, name="playbook_edit"),
    path(f"{_ONE}yaml/", playbookedit.edit_yaml, name="playbook_yaml"),
    path(f"{_ONE}items/", playbookedit.item, name="playbook_item_new"),
    path(f"{_ONE}items/<slug:key>/", playbookedit.item, name="playbook_item"),
    path(f"{_ONE}compare/", playbooks.compare, name="playbook_compare"),
    path(f"{_ONE}export/", playbooks.export, name="playbook_export"),
    path(f"{_ONE}review/", playbooks.review, name="playbook_review"),
    path(f"{_ONE}approve/", playbooks.approve, name="playbook_approve"),
    path(f"{_ONE}back/", playbooks.bring_back, name="playbook_back"),
    path(f"{_ONE}retire/", playbooks.retire, name="playbook_retire"),
]
