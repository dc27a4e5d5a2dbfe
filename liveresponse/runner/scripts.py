"""Reading a tenant's Live Response library, and changing it."""

from contextlib import suppress
from typing import Final

from ircase.models import Connection
from liveresponse import access
from liveresponse.models import LibraryChange
from liveresponse.providers import Opener, Tenant, open_tenant
from liveresponse.services import freezing, library
from msapi.errors import Ambiguous, ApiError, NotFound
from msapi.machines import LibraryFile

WAIT: Final = 30.0
"""Seconds until a change is tried again that the tenant could not take."""


def sync_library(connection: Connection, opener: Opener = open_tenant) -> int:
    """Make our list of the library what the tenant's is; the number of files. What changed there without us is kept as
    history and logged. Raises ApiError."""
    with opener(connection) as tenant:
        files = list(tenant.library_files())
    library.Sync(connection, files).run()
    return len(files)


def change_library(pk: int, opener: Opener = open_tenant) -> None:
    """Do what was asked of the library, once. Nothing happens where another worker has it."""
    change = library.take(pk)
    if change is None:
        return
    connection = change.connection
    if not connection.enabled or connection.read_only:
        library.failed(change, f"The connection {connection.name} is now for hunting only.")
        return
    if change.asked_by is None or not access.may_keep_library(change.asked_by, connection):
        who = change.asked_by.name if change.asked_by else "Who asked for it"
        library.failed(change, f"{who} may no longer change this library. Somebody who may has to ask again.")
        return
    if reason := freezing.hold_on(connection):
        library.later(change, reason, freezing.LOOK_AGAIN)
        return
    try:
        with opener(connection) as tenant:
            _make(tenant, change)
    except ApiError as error:
        if error.permanent and not isinstance(error, Ambiguous):
            library.failed(change, str(error))
        else:
            library.later(change, str(error), error.retry_after or WAIT)


def _make(tenant: Tenant, change: LibraryChange) -> None:
    """What is there is looked at first: a change that a dead worker made is found done, and one that somebody made in
    the tenant meanwhile is not overwritten."""
    there = {file.name.lower(): file for file in tenant.library_files()}.get(change.name.lower())
    sha256 = there.sha256.lower() if there else ""
    if sha256 == change.after_sha256:
        library.done(change, there)
    elif sha256 != change.before_sha256:
        library.failed(
            change, f"{change.name} was changed in the tenant meanwhile. Read the library again, then decide."
        )
    elif change.kind == LibraryChange.Kind.DELETED:
        _delete(tenant, change)
    else:
        _upload(tenant, change, there)


def _delete(tenant: Tenant, change: LibraryChange) -> None:
    with suppress(NotFound):  # gone since we looked
        tenant.delete_library_file(change.name)
    library.done(change, None)


def _upload(tenant: Tenant, change: LibraryChange, there: LibraryFile | None) -> None:
    file = tenant.upload_library_file(
        change.name,
        bytes(change.content or b""),
        description=change.description,
        parameters=change.parameters,
        override=there is not None,
    )
    if file.sha256.lower() != change.after_sha256:
        library.keep(change.connection, file)
        library.failed(change, f"The tenant tells another SHA-256 than was sent: {file.sha256 or 'none'}.")
        return
    library.done(change, file)
