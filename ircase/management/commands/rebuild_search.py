"""Compare the search with what it is about, and mend it."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ircase.models import CaseTable
from ircase.search import index
from ircase.search.sources import source_of, sources
from ircase.services.analysis import tablesearch


class Command(BaseCommand):
    help = "Write what the search lacks or has otherwise, and remove what is gone. It may run while people work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--kind", action="append", help="this kind alone; may be given several times")
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where something differs")
        parser.add_argument("--tables", action="store_true", help="have workers read the cells of every table again")

    def handle(self, *args: Any, **options: Any) -> None:
        kinds = options["kind"] or [source.kind for source in sources()]
        for kind in kinds:
            if source_of(kind) is None:
                raise CommandError(f"There is no kind {kind!r}. There are: {', '.join(s.kind for s in sources())}.")
        sound = True
        for kind in kinds:
            found = index.compare(kind, mend=not options["check"])
            sound = sound and found.is_sound
            self.stdout.write(
                f"{kind}: {found.rows} rows, {found.missing} missing, {found.stale} stale, {found.orphans} too many"
            )
        if options["tables"]:
            for table in CaseTable.objects.iterator():
                tablesearch.queue(table)
        if options["check"] and not sound:
            sys.exit(1)
