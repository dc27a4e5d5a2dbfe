"""`manage.py clean_store [--remove]`: what the store holds, and what no record needs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from ircase.models import StoreSurvey
from ircase.services.vault import storehealth


class Command(BaseCommand):
    help = (
        "Compare everything in the evidence store with the records. With --remove files that no record needs go, where "
        "they are older than a day. What has a row is never touched, nor what was set aside as altered."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", action="store_true")

    def handle(self, *_: Any, **options: Any) -> None:
        found = storehealth.survey(StoreSurvey.objects.create(), remove=options["remove"])
        if found.problem:
            raise CommandError(found.problem, returncode=1)
        self.stdout.write(
            f"{found.files} files, {filesizeformat(found.size)} in all; {found.encrypted} encrypted; "
            f"{found.orphans} objects without a record, {filesizeformat(found.orphan_size)}; "
            f"{found.leftovers} half-written; {found.altered} set aside as altered."
        )
        if options["remove"]:
            self.stdout.write(self.style.SUCCESS(f"{found.removed} removed."))
