from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class IrcaseConfig(AppConfig):
    name = "ircase"
    verbose_name = "Incident response cases"

    def ready(self) -> None:
        # Registers the system checks, and what can be commented.
        from ircase import checks, signals  # noqa: F401, PLC0415
        from ircase.services import commented  # noqa: PLC0415

        commented.register()

        post_migrate.connect(_fill_preparation, sender=self)


def _fill_preparation(**_: Any) -> None:
    """A new database gets the program's list of preparation; one that has a list keeps it."""
    # Models cannot be imported before every app is loaded.
    from ircase.services.preparation import load_preparation  # noqa: PLC0415

    load_preparation()
