from django.apps import AppConfig


class HuntingConfig(AppConfig):
    name = "hunting"
    verbose_name = "KQL hunts"

    def ready(self) -> None:
        # Registers the system checks.
        from hunting import checks  # noqa: F401, PLC0415
