from django.apps import AppConfig


class HuntingConfig(AppConfig):
    name = "hunting"
    verbose_name = "KQL hunts"

    def ready(self) -> None:
        # Registers the system checks, and the chapters of the report.
        from hunting import checks  # noqa: F401, PLC0415
        from hunting.report import Chapters  # noqa: PLC0415
        from ircase.report import chapters  # noqa: PLC0415

        chapters.register(Chapters())
