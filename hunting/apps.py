from django.apps import AppConfig


class HuntingConfig(AppConfig):
    name = "hunting"
    verbose_name = "KQL hunts"
