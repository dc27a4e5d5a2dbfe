"""Every registered model has a list and pages to read in Django's own administration, with no case content by role."""

import pytest
from django.urls import reverse

from ircase.admin import site
from ircase.models import CaseExport, CaseImport, Upload
from ircase.services.transfer import caseexports, caseimports, resumable
from ircase.services.vault import holds
from liveresponse.models import Freeze
from liveresponse.services import freezing
from tests.cast import CastTestCase, make_evidence


class AdminTests(CastTestCase):
    def setUp(self) -> None:
        make_evidence(self.case, self.alice, b"x", name="secret-name.txt")
        caseexports.request_export(case=self.case, actor=self.alice, purpose="Court", receiver="R. Eceiver")
        caseimports.begin_upload(actor=self.alice, wish=caseimports.Wish("hushed.zip"), size=1, fingerprint="")
        resumable.begin(case=self.case, actor=self.alice, new=resumable.NewUpload("whispered.csv", 1))
        holds.place(case=self.case, actor=self.alice, reason="The court asked for it")
        CaseImport.objects.create(requested_by=self.alice, name="hushed.zip")
        freezing.freeze(actor=self.ada, connection=None, reason="A drill of the kill switch")
        self.sign_in(self.ada)

    def test_every_list_and_one_row_of_each_can_be_read_and_nothing_changed(self) -> None:
        for model in site._registry:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            assert self.client.get(reverse(f"{name}_changelist")).status_code == 200, model
            if model in (Freeze, CaseImport):
                row = model._base_manager.get()
                assert self.client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200, model
                assert self.client.post(reverse(f"{name}_delete", args=[row.pk])).status_code == 403, model

    def test_an_administrator_sees_no_case_by_the_role(self) -> None:
        for model in (CaseExport, Upload, CaseImport):
            page = self.client.get(reverse(f"admin:ircase_{model._meta.model_name}_changelist")).content.decode()
            for word in ("R. Eceiver", "hushed", "whispered", self.case.reference):
                assert word not in page, model
        upload = Upload.objects.latest("pk")
        assert self.client.get(reverse("admin:ircase_upload_change", args=[upload.pk])).status_code == 302

    def test_others_read_nothing(self) -> None:
        self.sign_in(self.bob)
        assert self.client.get(reverse("admin:liveresponse_freeze_changelist")).status_code == 403


@pytest.mark.parametrize("word", ["secret", "password", "private"])
def test_no_field_of_a_secret_is_shown(word: str) -> None:
    for model, room in site._registry.items():
        shown = room.fields or [f.name for f in model._meta.fields if f.name not in (room.exclude or ())]
        assert not [name for name in shown if word in str(name) and "sha256" not in str(name)], model
