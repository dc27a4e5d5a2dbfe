"""Assembly: settings, the task clock, the URL table. Everything here sits above the apps."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
