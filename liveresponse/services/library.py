"""The script library of a tenant: what is in it, and what was done to it, here and elsewhere."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from ircase import jobs
from ircase.models import Connection, StandingApproval, User
from ircase.services import approvals, log
from liveresponse import access, shelf
from liveresponse.catalogue import Definition
from liveresponse.models import LibraryChange, LibraryScript, LibraryWatch
from liveresponse.ownscripts import OwnScript, ThirdParty, own_scripts, third_party
from msapi.commands import check_file_name
from msapi.errors import InvalidParameter
from msapi.machines import LibraryFile

UPLOAD_BYTES: Final = 20_000_000
"""The API's cap; the Defender portal takes up to 250 MB.
https://learn.microsoft.com/defender-endpoint/api/upload-library"""
LEASE: Final = timedelta(minutes=5)
AGE: Final = timedelta(minutes=15)
"""A library that was read longer ago is read again by itself."""
RETRY: Final = timedelta(minutes=5)
MAX_WORDS: Final = 1000
Kind = LibraryChange.Kind
State = LibraryChange.State


def due(now: datetime) -> list[int]:
    """The connections whose library should be read again now; each is named once in a while, however its reading ends:
    an empty library, or a tenant that does not answer, is asked every `RETRY`."""
    read = Connection.objects.filter(enabled=True).annotate(read=Max("library_scripts__seen_at"))
    old = list(read.filter(Q(read=None) | Q(read__lte=now - AGE)).values_list("pk", flat=True))
    resting = LibraryWatch.objects.filter(connection__in=old, next_at__gt=now).values_list("connection_id", flat=True)
    found = sorted(set(old) - set(resting))
    LibraryWatch.objects.bulk_create(
        [LibraryWatch(connection_id=pk, next_at=now + RETRY) for pk in found],
        update_conflicts=True, unique_fields=["connection"], update_fields=["next_at"],
    )  # fmt: skip
    return found


@dataclass(frozen=True)
class Held:
    """A file of the library, or one that is lacking (`script` None). `shipped` says how it compares with what IRCase
    ships: "same", "differs", "missing", or "" where IRCase ships none of that name."""

    name: str
    script: LibraryScript | None
    shipped: str = ""
    own: OwnScript | None = None
    other: ThirdParty | None = None
    needed_by: tuple[Definition, ...] = ()
    standing: tuple[StandingApproval, ...] = ()
    waiting: LibraryChange | None = None

    @property
    def waiting_text(self) -> str:
        """What is under way, in a word."""
        return {Kind.UPLOADED: "Uploading", Kind.REPLACED: "Replacing", Kind.DELETED: "Deleting"}[
            Kind(self.waiting.kind if self.waiting else Kind.UPLOADED)
        ]


def held(connection: Connection) -> list[Held]:
    """Everything that is in the library or that a collection needs, ours first. Five queries."""
    scripts = {row.name.lower(): row for row in LibraryScript.objects.filter(connection=connection)}
    waiting = {row.name.lower(): row for row in _changes(connection).filter(state=State.WAITING).defer("content")}
    plans = shelf.definitions().values()
    names = {name.lower(): name for plan in plans for name in plan.files}
    names |= {key: script.name for key, script in own_scripts().items()}
    names |= {key: row.name for key, row in waiting.items()} | {key: row.name for key, row in scripts.items()}
    standing = list(_standing(connection))
    rows = [_held(key, name, scripts.get(key), plans, standing, waiting.get(key)) for key, name in names.items()]
    return sorted(rows, key=lambda row: (row.own is None, not row.needed_by, row.name.lower()))


def _held(
    key: str,
    name: str,
    script: LibraryScript | None,
    plans: Iterable[Definition],
    standing: list[StandingApproval],
    waiting: LibraryChange | None,
) -> Held:
    own = own_scripts().get(key)
    return Held(
        name=name,
        script=script,
        shipped="" if own is None else _compared(own, script),
        own=own,
        other=third_party().get(key),
        needed_by=tuple(plan for plan in plans if key in {file.lower() for file in plan.files}),
        standing=tuple(row for row in standing if script is not None and row.script_sha256 == script.sha256),
        waiting=waiting,
    )


def _compared(own: OwnScript, script: LibraryScript | None) -> str:
    if script is None:
        return "missing"
    return "same" if script.sha256 == own.sha256 else "differs"


def _standing(connection: Connection) -> Iterable[StandingApproval]:
    return approvals.standing_now().filter(connection=connection)


def _changes(connection: Connection) -> QuerySet[LibraryChange]:
    return LibraryChange.objects.filter(connection=connection)


def history(connection: Connection, name: str = "") -> QuerySet[LibraryChange]:
    """What was done to the library, or to one of its files, newest first."""
    rows = _changes(connection).select_related("asked_by").defer("content")
    return rows.filter(name__iexact=name) if name else rows


@transaction.atomic
def upload(
    *,
    connection: Connection,
    actor: User,
    name: str,
    content: bytes,
    description: str = "",
    parameters: str = "",
    replace: bool = False,
    reason: str = "",
) -> LibraryChange:
    """Have a worker put a file into the tenant's library. `replace` is needed where one of that name is there, so that
    nothing is overwritten unseen. Raises PermissionDenied and ValidationError."""
    access.require_keep_library(actor, connection)
    _check_writable(connection)
    try:
        check_file_name(name)
    except InvalidParameter as error:
        raise ValidationError({"name": str(error)}) from error
    if not content:
        raise ValidationError({"file": "The file is empty."})
    if len(content) > UPLOAD_BYTES:
        cap = f"{UPLOAD_BYTES // 1000**2} MB"
        raise ValidationError({"file": f"The API takes files up to {cap}; upload a larger one in the Defender portal."})
    there = LibraryScript.objects.filter(connection=connection, name__iexact=name).first()
    if there is not None and not replace:
        raise ValidationError({"name": f"The library holds {there.name} already. Say that it is to be replaced."})
    return _ask(
        LibraryChange(
            connection=connection,
            name=there.name if there else name,
            kind=Kind.REPLACED if there else Kind.UPLOADED,
            before_sha256=there.sha256 if there else "",
            after_sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            description=description.strip()[:MAX_WORDS],
            parameters=parameters.strip()[:MAX_WORDS],
            content=content,
            reason=reason.strip()[:500],
            asked_by=actor,
        )
    )


def upload_own(*, connection: Connection, actor: User, name: str) -> LibraryChange:
    """Put the script that IRCase ships under that name into the library, in place of a differing one."""
    access.require_keep_library(actor, connection)
    own = own_scripts().get(name.lower())
    if own is None:
        raise ValidationError(f"IRCase ships no script called {name}.")
    return upload(
        connection=connection,
        actor=actor,
        name=own.name,
        content=own.content,
        description=f"IRCase: {own.synopsis}",
        parameters=own.parameters,
        replace=True,
        reason="As shipped with IRCase",
    )


@transaction.atomic
def delete(*, script: LibraryScript, actor: User, typed_name: str, reason: str = "") -> LibraryChange:
    """Have a worker delete a file from the tenant's library, once its name was typed. Raises PermissionDenied and
    ValidationError."""
    access.require_keep_library(actor, script.connection)
    _check_writable(script.connection)
    if typed_name.strip() != script.name:
        raise ValidationError({"typed_name": f"Type {script.name} to delete it."})
    return _ask(
        LibraryChange(
            connection=script.connection,
            name=script.name,
            kind=Kind.DELETED,
            before_sha256=script.sha256,
            reason=reason.strip()[:500],
            asked_by=actor,
        )
    )


def _check_writable(connection: Connection) -> None:
    if not connection.enabled or connection.read_only:
        raise ValidationError(f"The connection {connection.name} is for hunting only: nothing may be changed by it.")


def _ask(change: LibraryChange) -> LibraryChange:
    change.full_clean(exclude=["connection", "asked_by", "content"], validate_constraints=False)
    try:
        with transaction.atomic():
            change.save()
    except IntegrityError as error:
        raise ValidationError(
            f"A change of {change.name} is under way already. Look again in a few seconds."
        ) from error
    _log(change, "asked")
    jobs.enqueue("liveresponse.change_library", change.pk)
    return change


def take(pk: int) -> LibraryChange | None:
    """A waiting change for one worker; None if another has it or it has ended."""
    now = timezone.now()
    free = LibraryChange.objects.filter(pk=pk, state=State.WAITING).filter(Q(lease_until=None) | Q(lease_until__lt=now))
    taken = free.update(lease_until=now + LEASE)
    return LibraryChange.objects.select_related("connection", "asked_by").get(pk=pk) if taken == 1 else None


def waiting(now: datetime) -> list[int]:
    """Changes that no worker holds."""
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    return list(LibraryChange.objects.filter(free, state=State.WAITING).values_list("pk", flat=True))


@transaction.atomic
def done(change: LibraryChange, file: LibraryFile | None) -> None:
    """The tenant has it: `file` as the tenant tells it, None where it was deleted."""
    if not _end(change, State.DONE):
        return
    rows = LibraryScript.objects.filter(connection=change.connection, name__iexact=change.name)
    if file is None:
        rows.delete()
    else:
        keep(change.connection, file)
    _log(change, "done")


@transaction.atomic
def failed(change: LibraryChange, reason: str) -> None:
    if _end(change, State.FAILED, reason):
        _log(change, "failed", failure=reason)


def later(change: LibraryChange, reason: str, seconds: float) -> None:
    """Try again: the tenant could not answer."""
    when = timezone.now() + timedelta(seconds=seconds)
    LibraryChange.objects.filter(pk=change.pk, state=State.WAITING).update(lease_until=when, failure=reason)


def _end(change: LibraryChange, state: str, failure: str = "") -> bool:
    rows = LibraryChange.objects.filter(pk=change.pk, state=State.WAITING)
    ended = rows.update(state=state, failure=failure, content=None, ended_at=timezone.now(), lease_until=None)
    return ended == 1


def keep(connection: Connection, file: LibraryFile) -> None:
    """Our row of a file becomes what the tenant tells."""
    LibraryScript.objects.update_or_create(
        connection=connection,
        name=file.name,
        defaults={
            "sha256": file.sha256.lower(),
            "description": file.description,
            "parameters": file.parameters,
            "created_by": file.created_by,
            "updated_in_tenant": file.updated,
            "seen_at": timezone.now(),
        },
    )


@dataclass
class Sync:
    """One reading of the library against what we knew. The first reading of a tenant tells of no change."""

    connection: Connection
    files: list[LibraryFile]
    known: dict[str, LibraryScript] = field(init=False)

    @transaction.atomic
    def run(self) -> None:
        self.known = {row.name: row for row in LibraryScript.objects.filter(connection=self.connection)}
        is_first = not self.known and not _changes(self.connection).exists()
        ours = {(row.name.lower(), row.after_sha256) for row in _changes(self.connection).filter(state=State.WAITING)}
        for file in self.files:
            before, sha256 = self.known.get(file.name), file.sha256.lower()
            if not is_first and (before is None or before.sha256 != sha256) and (file.name.lower(), sha256) not in ours:
                self._seen(file.name, Kind.REPLACED if before else Kind.UPLOADED, before, sha256)
            keep(self.connection, file)
        for name in self.known.keys() - {file.name for file in self.files}:
            if (name.lower(), "") not in ours:
                self._seen(name, Kind.DELETED, self.known[name], "")
            self.known[name].delete()

    def _seen(self, name: str, kind: str, before: LibraryScript | None, sha256: str) -> None:
        change = LibraryChange.objects.create(
            connection=self.connection,
            name=name,
            kind=kind,
            state=State.SEEN,
            before_sha256=before.sha256 if before else "",
            after_sha256=sha256,
            ended_at=timezone.now(),
        )
        lapsed = bool(before and any(row.script_sha256 == before.sha256 for row in _standing(self.connection)))
        _log(change, "seen", standing_approval_lapsed=lapsed)


def _log(change: LibraryChange, what: str, **more: Any) -> None:
    log.record(
        f"script.{change.kind}_{what}",
        actor=change.asked_by,
        name=change.name,
        connection=change.connection.name,
        before=change.before_sha256,
        after=change.after_sha256,
        reason=change.reason,
        **more,
    )
