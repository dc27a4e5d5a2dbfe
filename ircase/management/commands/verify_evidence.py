"""`manage.py verify_evidence [CASE]`: re-hash every file and walk every chain."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ircase.models import Case, Evidence
from ircase.services.vault import statements, verification


class Command(BaseCommand):
    help = "Hash every piece of evidence again and walk the chains of log and custody. A line per fault; exit 1 if any."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("case", nargs="?", metavar="CASE", help="A reference, as in IR-2026-0142. Without it: all.")
        parser.add_argument(
            "--statement",
            action="append",
            default=[],
            type=Path,
            metavar="FILE",
            help="A signed statement as somebody outside kept it: it must be the one that is here. May be repeated.",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        faults = 0
        for fault in chain(self._outside(options["statement"]), self._faults(options["case"])):
            faults += 1
            self.stdout.write(self.style.ERROR(str(fault)))
        if faults:
            raise CommandError(f"{faults} fault{'s' if faults > 1 else ''}.", returncode=1)
        self.stdout.write(self.style.SUCCESS(self._all_is_well(options["case"])))

    def _outside(self, paths: Iterable[Path]) -> Iterator[verification.Fault]:
        for path in paths:
            try:
                found = statements.outside_copy(json.loads(path.read_bytes()))
            except (OSError, ValueError, KeyError, TypeError):
                raise CommandError(f"{path} is not a statement.", returncode=2) from None
            if found is not None:
                yield verification.Fault("site", f"statement {found.number}", found.code, found.message)

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
