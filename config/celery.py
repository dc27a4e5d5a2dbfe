"""The Celery application and its clockwork. Tasks live in each app's `tasks.py` and are named `<app>.<verb>`."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("ircase")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_django_logging(**_: Any) -> None:
    """Celery would replace the logging of settings.py; a receiver here keeps it as it is."""


@app.on_after_finalize.connect
def schedule(sender: Celery, **_: Any) -> None:
    """What beat sends. Each task is harmless when nothing is due, and when it is sent twice."""
    for name in ("ircase.sweep", "hunting.sweep", "liveresponse.poll", "ircase.rehash", "ircase.remind"):
        # A tick nobody took before the next one is due is dropped, so that an idle broker does not pile them up.
        sender.add_periodic_task(
            settings.SWEEP_SECONDS, sender.signature(name), name=name, expires=settings.SWEEP_SECONDS
        )
