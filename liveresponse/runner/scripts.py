"""Reading a tenant's Live Response library."""

from django.db import transaction
from django.utils import timezone

from ircase.models import Connection
from liveresponse.models import LibraryScript
from liveresponse.providers import Opener, open_tenant


def sync_library(connection: Connection, opener: Opener = open_tenant) -> int:
    """Make our list of the library what the tenant's is; the number of files. Raises ApiError."""
    with opener(connection) as tenant:
        files = list(tenant.library_files())
    now = timezone.now()
    with transaction.atomic():
        for file in files:
            LibraryScript.objects.update_or_create(
                connection=connection,
                name=file.name,
                defaults={
                    "sha256": file.sha256.lower(),
                    "description": file.description,
                    "parameters": file.parameters,
                    "created_by": file.created_by,
                    "updated_in_tenant": file.updated,
                    "seen_at": now,
                },
            )
        LibraryScript.objects.filter(connection=connection).exclude(seen_at=now).delete()
    return len(files)
