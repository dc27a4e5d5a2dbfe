"""`manage.py move_evidence --from disk --to azure`: copy every file that a record needs to another store, verified."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ircase import store
from ircase.services import log
from ircase.services.vault import removal

_BATCH = 200


class Command(BaseCommand):
    help = (
        "Copy what the records need from one store to the other, each file hashed on both sides. Nothing is removed "
        "from the first. May be stopped and begun again: what is there and whole is not copied twice. Run it, stop "
        "IRCase, run it once more, set IRCASE_STORE, start IRCase. To encrypt or decrypt everything on the way, set "
        "or unset IRCASE_STORE_KEYS before."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="source", choices=store.KINDS, required=True)
        parser.add_argument("--to", dest="target", choices=store.KINDS, required=True)
        parser.add_argument(
            "--trust-sizes", action="store_true", help="Do not hash again what is in the target already."
        )

    def handle(self, *_: Any, **options: Any) -> None:
        if options["source"] == options["target"]:
            raise CommandError("Name two different stores.", returncode=2)
        try:
            source, target = store.named(options["source"]), store.named(options["target"])
            target.backend.check()
            self._move(source, target, options)
        except store.StoreError as error:
            raise CommandError(f"{error} Begin again; what was copied stays.", returncode=1) from error

    def _move(self, source: store.Store, target: store.Store, options: dict[str, Any]) -> None:
        copied = there = faults = 0
        for sha256 in self._needed(source):
            if self._is_there(target, sha256, source, options["trust_sizes"]):
                there += 1
            elif self._copy(source, target, sha256):
                copied += 1
            else:
                faults += 1
                self.stdout.write(
                    self.style.ERROR(f"{sha256}: the source's bytes are not those of its name; not copied")
                )
        log.record("store.moved", files=copied, source=options["source"], target=options["target"], faults=faults)
        if faults:
            raise CommandError(
                f"{copied} files copied, {there} were there; {faults} are ALTERED at the source.", returncode=1
            )
        self.stdout.write(self.style.SUCCESS(f"{copied} files copied, {there} were there already; all verified."))

    def _needed(self, source: store.Store) -> Iterator[str]:
        batch: list[str] = []
        for item in source.files():
            if item.kind == "file":
                batch.append(item.sha256)
            if len(batch) == _BATCH:
                yield from sorted(removal.held(batch))
                batch = []
        yield from sorted(removal.held(batch))

    def _is_there(self, target: store.Store, sha256: str, source: store.Store, trust: bool) -> bool:
        try:
            if trust:
                return target.size(sha256) == source.size(sha256)
            return target.digest(sha256)[0] == sha256
        except (store.NotStored, store.StoreAltered):
            return False

    def _copy(self, source: store.Store, target: store.Store, sha256: str) -> bool:
        """Looked at before it is copied: what is not what its name says would lie in the target under another name."""
        try:
            if source.digest(sha256)[0] != sha256:
                return False
            return target.put(source.chunks(sha256), source.size(sha256)).sha256 == sha256
        except (store.StoreAltered, store.NotStored):
            return False
