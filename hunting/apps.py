from django.apps import AppConfig


class HuntingConfig(AppConfig):
    name = "hunting"
    verbose_name = "KQL hunts"

    def ready(self) -> None:
        # Registers the system checks, the chapters of the report, the content of exports, what can be commented and
        # found, the dashboard's panels, which stored files are needed here, and what is copied of exhibits.
        from hunting import catalogue, checks, commented, dashboard, dossier, finding, readiness  # noqa: F401, PLC0415
        from hunting.report import Chapters  # noqa: PLC0415
        from hunting.services import copies, holding, patterns  # noqa: PLC0415
        from ircase.exercises import scenarios  # noqa: PLC0415
        from ircase.report import chapters  # noqa: PLC0415
        from ircase.services import templating  # noqa: PLC0415
        from ircase.services.vault import destruction, removal  # noqa: PLC0415

        chapters.register(Chapters())
        commented.register()
        dashboard.register()
        destruction.register("hunting", destruction.Copies(copies.outside, copies.forget))
        dossier.register()
        finding.register()
        readiness.register()
        scenarios.register_hunts(catalogue.hunts)
        removal.register_holder("hunting", holding.held)
        templating.register(patterns.hunts_of)
