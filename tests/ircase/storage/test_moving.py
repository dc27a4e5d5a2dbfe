"""`manage.py move_evidence`, and a case whose evidence lies in a bucket."""

import uuid
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from ircase import store
from ircase.models import Evidence, User
from ircase.services import evidence
from ircase.services.vault import verification
from tests.cast import make_case, make_evidence, make_user
from tests.ircase.storage.bucket import Bucket, busy
from tests.ircase.storage.container import ACCOUNT, Containers
from tests.ircase.storage.container import busy as azure_busy
from tests.ircase.storage.test_health import KEY

pytestmark = pytest.mark.django_db


@pytest.fixture
def s3(bucket: Bucket, settings: Any, tmp_path: Any) -> str:
    name = f"b-{uuid.uuid4().hex}"
    bucket.make(name)
    settings.S3 = settings.S3 | {"bucket": name, "endpoint": bucket.endpoint, "path_style": True, "tries": 2}
    settings.S3 |= {"access_key": "a", "secret_key": "b"}
    settings.EVIDENCE_DIR, settings.SPOOL_DIR = tmp_path / "e", tmp_path / "s"
    settings.STORE_CACHE_DIR = tmp_path / "c"
    return name


@pytest.fixture
def azure(containers: Containers, settings: Any, tmp_path: Any) -> str:
    name = f"c-{uuid.uuid4().hex}"
    containers.make(name)
    settings.AZURE = settings.AZURE | {"container": name, "endpoint": containers.endpoint, "account": ACCOUNT}
    settings.AZURE |= {"key": containers.key, "tries": 2}
    settings.EVIDENCE_DIR, settings.SPOOL_DIR = tmp_path / "e", tmp_path / "s"
    settings.STORE_CACHE_DIR = tmp_path / "c"
    return name


def move(*more: str) -> str:
    out = StringIO()
    call_command("move_evidence", "--from", "disk", "--to", "s3", *more, stdout=out, no_color=True)
    return out.getvalue()


def test_everything_that_a_record_needs_is_copied_verified_and_not_twice(
    bucket: Bucket, s3: str, settings: Any
) -> None:
    alice = make_user("alice", User.SiteRole.ANALYST)
    case = make_case(alice)
    for number in range(3):
        make_evidence(case, alice, b"content %d" % number)
    evidence.put([b"an orphan"])
    settings.STORE_KEYS = KEY
    away = busy(10**6, lambda e: e["REQUEST_METHOD"] == "PUT" and e["PATH_INFO"].endswith(".enc"))
    with bucket.gated(away), pytest.raises(CommandError, match="Begin again"):
        move()
    assert "3 files copied, 0 were there" in move()
    assert "0 files copied, 3 were there" in move()
    settings.STORE = "s3"
    assert list(verification.verify_case(case)) == []
    assert len([key for key in bucket.keys(s3) if key.endswith(".enc")]) == 3


def test_a_file_that_is_altered_is_not_copied_and_named(s3: str) -> None:
    alice = make_user("alice", User.SiteRole.ANALYST)
    item = make_evidence(make_case(alice), alice, b"true")
    item.path.chmod(0o640)
    item.path.write_bytes(b"lies")
    out = StringIO()
    with pytest.raises(CommandError, match="1 are ALTERED"):
        call_command("move_evidence", "--from", "disk", "--to", "s3", stdout=out, no_color=True)
    assert item.sha256 in out.getvalue()
    assert not store.named("s3").exists(item.sha256)


def test_a_case_on_a_bucket_is_sealed_downloaded_and_verified(
    bucket: Bucket, s3: str, settings: Any, client: Any
) -> None:
    settings.STORE, settings.STORE_KEYS = "s3", KEY
    alice = make_user("alice", User.SiteRole.ANALYST)
    item = make_evidence(make_case(alice), alice, b"in a bucket")
    client.force_login(alice)
    url = reverse("ircase:evidence_download", args=[item.case.reference, item.uuid])
    assert b"".join(client.get(url).streaming_content) == b"in a bucket"
    assert evidence.verify(item) == Evidence.Integrity.VERIFIED
    with bucket.gated(busy(10**6)):
        with pytest.raises(store.StoreError):
            evidence.verify(item)
        page = client.get(url, follow=True).content.decode()
        assert "busy or down" in page
        page = client.post(reverse("ircase:evidence_verify", args=[item.case.reference, item.uuid]), follow=True)
        assert "could not be verified" in page.content.decode()
    item.refresh_from_db()
    assert item.integrity == "verified"


def test_a_reading_waits_for_a_store_that_is_away(bucket: Bucket, s3: str, settings: Any) -> None:
    from ircase.services.analysis import tables
    from ircase.tasks import parse_evidence
    from tests.hunting.stage import quiet_heart

    settings.STORE = "s3"
    alice = make_user("alice", User.SiteRole.ANALYST)
    item = make_evidence(make_case(alice), alice, b"a,b\n1,2\n", name="x.csv")
    job = tables.queue_parse(evidence=item, actor=alice)
    with quiet_heart():
        with bucket.gated(busy(10**6)):
            parse_evidence(job.pk)
        job.refresh_from_db()
        assert (job.state, "busy or down" in job.reason) == ("queued", True)
        type(job).objects.filter(pk=job.pk).update(not_before=None)
        parse_evidence(job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.reason
    assert item.tables.get().row_count == 1


def test_from_a_disk_to_a_container_and_back(containers: Containers, azure: str, settings: Any, tmp_path: Any) -> None:
    alice = make_user("alice", User.SiteRole.ANALYST)
    case = make_case(alice)
    for number in range(3):
        make_evidence(case, alice, b"content %d" % number)
    settings.STORE_KEYS = KEY
    out = StringIO()
    call_command("move_evidence", "--from", "disk", "--to", "azure", stdout=out, no_color=True)
    assert "3 files copied, 0 were there" in out.getvalue()
    settings.STORE = "azure"
    assert list(verification.verify_case(case)) == []
    assert len([key for key in containers.names(azure) if key.endswith(".enc")]) == 3
    settings.EVIDENCE_DIR = tmp_path / "back"
    call_command("move_evidence", "--from", "azure", "--to", "disk", stdout=out, no_color=True)
    settings.STORE = "disk"
    assert list(verification.verify_case(case)) == []


def test_a_case_on_a_container_is_sealed_downloaded_verified_and_shown(
    containers: Containers, azure: str, settings: Any, client: Any
) -> None:
    settings.STORE, settings.STORE_KEYS = "azure", KEY
    alice, ada = make_user("alice", User.SiteRole.ANALYST), make_user("ada", User.SiteRole.ADMINISTRATOR)
    item = make_evidence(make_case(alice), alice, b"in a container")
    assert item.locked_until is None
    client.force_login(alice)
    url = reverse("ircase:evidence_download", args=[item.case.reference, item.uuid])
    assert b"".join(client.get(url).streaming_content) == b"in a container"
    assert evidence.verify(item) == Evidence.Integrity.VERIFIED
    with containers.gated(azure_busy(10**6)):
        with pytest.raises(store.StoreError):
            evidence.verify(item)
        assert "busy or down" in client.get(url, follow=True).content.decode()
    item.refresh_from_db()
    assert item.integrity == "verified"
    client.force_login(ada)
    page = client.get(reverse("ircase:storage")).content.decode()
    assert "Azure Blob" in page and f"container {azure} of {ACCOUNT}" in page and "The store does not tell" in page
    # What a lock of the settings promises is kept with the exhibit, without asking the store.
    settings.AZURE = settings.AZURE | {"lock_mode": "Locked", "lock_days": 30}
    assert store.lock() == ("Locked", 30)
