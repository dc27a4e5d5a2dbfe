from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class IrcaseConfig(AppConfig):
    name = "ircase"
    verbose_name = "Incident response cases"

    def ready(self) -> None:
        # Registers the system checks, what can be commented, and what of a case can be found.
        from ircase import checks, signals  # noqa: F401, PLC0415
        from ircase.finder import sources  # noqa: PLC0415
        from ircase.readiness import parts  # noqa: PLC0415
        from ircase.services.writing import commented  # noqa: PLC0415

        commented.register()
        parts.register()

        sources.register_all()
        post_migrate.connect(_fill_preparation, sender=self)
        post_migrate.connect(_fill_search)


def _fill_preparation(**_: Any) -> None:
    """A new database gets the program's list of preparation; one that has a list keeps it."""
    # Models cannot be imported before every app is loaded.
    from ircase.services.phases.preparation import load_preparation  # noqa: PLC0415

    load_preparation()


def _fill_search(sender: AppConfig, **_: Any) -> None:
    """What is found without having a row, such as the hunts that IRCase ships; after the last app."""
    from ircase.search import index  # noqa: PLC0415

    if sender.name == "liveresponse":
        index.write_extra()
