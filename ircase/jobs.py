"""The one way to background work. The row is written first; the message only nudges a worker to look at it."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


def enqueue(task: str, *args: int | str, after: float = 0.0) -> None:
    """When the surrounding transaction commits, send `task` (a name such as "hunting.run_hunt") with ids, to be taken
    `after` seconds at the earliest.

    A dead broker loses nothing: the row stays QUEUED, and the sweep sends the message again.
    """
    later = {"after": after} if after else {}
    transaction.on_commit(lambda: send(task, *args, **later))


def send(task: str, *args: int | str, after: float = 0.0) -> None:
    """Send now. A worker takes it `after` seconds at the earliest; what is meant for later must be due for the sweep,
    too, because a worker that is killed takes the messages that it holds back with it."""
    try:
        if after > 0:
            current_app.send_task(task, args=list(args), countdown=after)
        else:
            current_app.send_task(task, args=list(args))
    except (OperationalError, RedisError, OSError) as error:
        logger.warning(
            "jobs.broker_unreachable", extra={"task": task, "args_sent": args, "error": type(error).__name__}
        )
