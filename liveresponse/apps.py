from django.apps import AppConfig


class LiveResponseConfig(AppConfig):
    name = "liveresponse"
    verbose_name = "Live Response"
