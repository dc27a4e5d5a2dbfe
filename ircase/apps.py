from django.apps import AppConfig


class IrcaseConfig(AppConfig):
    name = "ircase"
    verbose_name = "Incident response cases"

    def ready(self) -> None:
        # Registers the system checks.
        from ircase import checks  # noqa: F401, PLC0415
