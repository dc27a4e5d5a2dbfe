"""`manage.py rewrap_evidence`: put every encrypted file's key under the newest key of IRCASE_STORE_KEYS."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ircase import store
from ircase.models import StoredBytes
from ircase.services import log


class Command(BaseCommand):
    help = (
        "Wrap the key of every encrypted file by the first key of IRCASE_STORE_KEYS; the files themselves stay as they "
        "are. May be stopped and begun again. Afterwards the older keys can be taken out of the setting."
    )

    def handle(self, *_: Any, **__: Any) -> None:
        place = store.current()
        if not place.is_encrypted:
            raise CommandError("IRCASE_STORE_KEYS is not set: nothing is encrypted.")
        before, faults = Counter[str](), 0
        for item in place.files():
            if item.kind != "key":
                continue
            try:
                before[place.rewrap(item.entry.name)] += 1
                StoredBytes.objects.filter(sha256=item.sha256).update(key_id=place.keys.current)
            except store.StoreError as error:
                faults += 1
                self.stdout.write(self.style.ERROR(f"{item.sha256}: {error}"))
        changed = sum(before.values()) - before[place.keys.current]
        if changed:
            log.record("store.rewrapped", files=changed, key=place.keys.current)
        if faults:
            raise CommandError(f"{faults} files keep the key they had.", returncode=1)
        self.stdout.write(
            self.style.SUCCESS(f"{changed} files put under {place.keys.current}; all others were already.")
        )
