"""`manage.py create_api_token USER`: a bearer token for /api/v1/, printed once."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ircase.models import Scope, User
from ircase.services.identity import people


class Command(BaseCommand):
    help = "Make a bearer token for a person and print it. It is stored nowhere and cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER", help="The user name of the person the token acts for.")
        parser.add_argument("--name", default="command line", help="What will use it.")
        parser.add_argument("--days", type=int, default=90, help="How long it is valid.")
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            help="What it may be used for; may be repeated. All of it.",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        expires = timezone.now() + timedelta(days=options["days"])
        scopes = options["scope"] or Scope.values
        try:
            made = people.create_token(user=user, name=options["name"], expires_at=expires, scopes=scopes)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(made[1])
