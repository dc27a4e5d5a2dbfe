from django.apps import AppConfig


class LiveResponseConfig(AppConfig):
    name = "liveresponse"
    verbose_name = "Live Response"

    def ready(self) -> None:
        # Registers the system checks.
        from ircase.services import handling  # noqa: PLC0415
        from liveresponse import checks, commented, dossier  # noqa: F401, PLC0415
        from liveresponse.services import determinations  # noqa: PLC0415

        commented.register()
        dossier.register()
        handling.register(determinations.against)
