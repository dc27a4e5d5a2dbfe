from django.apps import AppConfig


class LiveResponseConfig(AppConfig):
    name = "liveresponse"
    verbose_name = "Live Response"

    def ready(self) -> None:
        # Registers the system checks.
        from ircase.clocks import windows  # noqa: PLC0415
        from ircase.services.casework import closing  # noqa: PLC0415
        from ircase.services.vault import handling  # noqa: PLC0415
        from liveresponse import checks, commented, dashboard, dossier, readiness  # noqa: F401, PLC0415
        from liveresponse.services import determinations, open_ends  # noqa: PLC0415

        commented.register()
        dashboard.register()
        dossier.register()
        readiness.register()
        handling.register(determinations.against)
        windows.register(open_ends.windows)
        closing.register(open_ends.isolated)
