"""`manage.py break_glass USER`: an administrator with a password, for the day the organisation's sign-in is down."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from ircase.services.identity import accounts


class Command(BaseCommand):
    help = (
        "Make a person an active administrator who may use a password whatever the rules of access say, and print the "
        "address, good for once and a day, by which they set it. Their second factor is removed. It is logged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER", help="A user name; somebody new is made.")
        parser.add_argument("--url", default="", help="Where IRCase is reached, as in https://ircase.example.org.")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            link = accounts.break_glass(username=options["user"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(options["url"].rstrip("/") + reverse("ircase:set_password", args=[link.uid, link.token]))
