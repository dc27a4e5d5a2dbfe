from django.apps import AppConfig


class LiveResponseConfig(AppConfig):
    name = "liveresponse"
    verbose_name = "Live Response"

    def ready(self) -> None:
        # Registers the system checks.
        from liveresponse import checks, dossier  # noqa: F401, PLC0415

        dossier.register()
