"""`manage.py import_case EXPORT.zip`: bring a case of another IRCase in, at once, without the worker."""

from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ircase.dossier import bringin
from ircase.models import CaseImport, User
from ircase.services.transfer import caseimports
from ircase.services.transfer.caseimports import Wish
from ircase.store import chunks_of
from ircase.work import new_owner


class Command(BaseCommand):
    help = "Verify an export and make it a case. A line per fault; exit 1 where it has any and none were accepted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("export", type=Path, metavar="EXPORT.zip")
        parser.add_argument("--user", required=True, help="Who brings it in and leads the case.")
        parser.add_argument("--key", default="", help="The public key that it must be signed with.")
        parser.add_argument(
            "--password", default="", help="Of the encrypted zip around it; not needed for the usual one."
        )
        parser.add_argument("--ordinary", action="store_true", help="Not confidential.")
        parser.add_argument("--accept", default="", metavar="REASON", help="Take it over in spite of faults.")

    def handle(self, *_: Any, **options: Any) -> None:
        actor = User.objects.filter(username=options["user"], is_active=True).first()
        if actor is None:
            raise CommandError("There is no such person.", returncode=2)
        path: Path = options["export"]
        try:
            job = caseimports.receive(
                actor=actor,
                wish=Wish(path.name, not options["ordinary"], options["key"], options["password"]),
                chunks=chunks_of(path),
            )
            job = self._run(job)
            if job.faults and options["accept"] and job.case is None:
                caseimports.accept(job=job, actor=actor, reason=options["accept"])
                job = self._run(job)
        except (ValidationError, PermissionDenied, OSError) as error:
            raise CommandError(" ".join(getattr(error, "messages", [str(error)])), returncode=2) from None
        for fault in job.faults:
            self.stdout.write(self.style.ERROR(f"{fault['place']}: {fault['message']}"))
        if job.case is None:
            raise CommandError(job.reason or "Another worker has taken it.", returncode=1)
        self.stdout.write(self.style.SUCCESS(f"{job.reference} is {job.case.reference} here."))

    def _run(self, job: CaseImport) -> CaseImport:
        held = CaseImport.objects.claim(job.pk, new_owner())
        if held is not None:
            bringin.bring_in(held)
        return CaseImport.objects.select_related("case").get(pk=job.pk)
