"""`manage.py verify_evidence [CASE]`: re-hash every file and walk every chain."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ircase.models import Case, Evidence
from ircase.services import verification


class Command(BaseCommand):
    help = "Hash every piece of evidence again and walk the chains of log and custody. A line per fault; exit 1 if any."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("case", nargs="?", metavar="CASE", help="A reference, as in IR-2026-0142. Without it: all.")

    def handle(self, *_: Any, **options: Any) -> None:
        faults = 0
        for fault in self._faults(options["case"]):
            faults += 1
            self.stdout.write(self.style.ERROR(str(fault)))
        if faults:
            raise CommandError(f"{faults} fault{'s' if faults > 1 else ''}.", returncode=1)
        self.stdout.write(self.style.SUCCESS(self._all_is_well(options["case"])))

    def _faults(self, reference: str | None) -> Iterator[verification.Fault]:
        if reference is None:
            return verification.verify_everything()
        return verification.verify_case(self._case(reference))

    def _case(self, reference: str) -> Case:
        case = Case.objects.filter(reference=reference.strip().upper()).first()
        if case is None:
            raise CommandError(f"There is no case {reference}.", returncode=2)
        return case

    def _all_is_well(self, reference: str | None) -> str:
        items = Evidence.objects.filter(case=self._case(reference)) if reference else Evidence.objects.all()
        return f"{items.count()} exhibits verified; every chain holds."
