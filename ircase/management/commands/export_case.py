"""`manage.py export_case CASE`: an export into a folder or a zip, at once, without the worker."""

import uuid
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from ircase.dossier import build, write
from ircase.dossier.container import FolderWriter, ZipWriter
from ircase.models import Case, User
from ircase.services import log
from ircase.services.transfer import caseexports
from ircase.services.vault import handling, packing
from ircase.store import StoreError, chunks_of, digest_of


class Command(BaseCommand):
    help = "Export a case, or some of its exhibits, with a verifier that needs nothing but Python."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("case", metavar="CASE", help="A reference, as in IR-2026-0142.")
        parser.add_argument("--to", required=True, type=Path, help="A new folder, or a file that ends in .zip.")
        parser.add_argument("--password", default="", help="Of the zip around an export that holds harmful files.")
        parser.add_argument("--user", required=True, help="In whose name; custody keeps it.")
        parser.add_argument("--purpose", required=True)
        parser.add_argument("--receiver", required=True)
        parser.add_argument("--exhibits", default="", help="Such as E001,E004-E007. Without it: the whole case.")

    def handle(self, *_: Any, **options: Any) -> None:
        case = Case.objects.filter(reference=options["case"].strip().upper()).first()
        actor = User.objects.filter(username=options["user"], is_active=True).first()
        if case is None or actor is None:
            raise CommandError("There is no such case, or no such person.", returncode=2)
        try:
            numbers = caseexports.numbers_of(case, options["exhibits"])
            wanted = write.Wanted(case, actor, str(uuid.uuid4()), options["purpose"], options["receiver"], numbers)
            password = packing.password_of(options["password"])
            written, sha256 = self._write(wanted, options["to"], password)
        except (ValidationError, StoreError, OSError) as error:
            raise CommandError(" ".join(getattr(error, "messages", [str(error)])), returncode=2) from None
        self._note(wanted, written, sha256)
        for problem in written.problems:
            self.stdout.write(self.style.ERROR(problem))
        self.stdout.write(self.style.SUCCESS(f"{len(written.exhibits)} exhibits in {options['to']}"))

    def _write(self, wanted: write.Wanted, target: Path, password: str) -> tuple[write.Written, str]:
        if target.suffix != ".zip":
            if harmful := _harmful(write.Written(exhibits=write.exhibits_of(wanted))):
                raise ValidationError(
                    f"{', '.join(harmful)} could do harm, and a folder cannot be encrypted: use --to FILE.zip."
                )
            return write.write(wanted, FolderWriter(target), check=_go_on), ""
        part = target.with_name(f".{target.name}.part")
        with target.open("xb") as out:
            try:
                with part.open("xb+") as file:
                    written = write.write(wanted, ZipWriter(file), check=_go_on)
                sha256, chunks = digest_of(part), chunks_of(part)
                if harmful := _harmful(written):
                    self.stdout.write(
                        f"{', '.join(harmful)} could do harm: {target} is an AES-256 zip around the export."
                    )
                    chunks = packing.packed(chunks, name=target.name, password=password)
                for chunk in chunks:
                    out.write(chunk)
            except BaseException:
                # Half an export must not lie where a whole one is looked for, nor stand in the next one's way.
                target.unlink(missing_ok=True)
                raise
            finally:
                part.unlink(missing_ok=True)
        return written, sha256

    @transaction.atomic
    def _note(self, wanted: write.Wanted, written: write.Written, sha256: str) -> None:
        detail = {"purpose": wanted.purpose, "receiver": wanted.receiver, "files_sha256": written.files_sha256}
        if sha256:
            detail["sha256"] = sha256
        build.note(written.exhibits, actor=wanted.actor, export=wanted.uuid, **detail)
        title = caseexports.title_of(wanted.case, wanted.numbers)
        log.record("export.done", case=wanted.case, actor=wanted.actor, title=title, by="command", **detail)


def _harmful(written: write.Written) -> list[str]:
    rules = handling.rules_of([item for item in written.exhibits if not item.is_destroyed])
    return [item.exhibit for item in written.exhibits if item.pk in rules and rules[item.pk].packed]


def _go_on() -> None:
    """Nobody asks a command to stop but by ending it."""
