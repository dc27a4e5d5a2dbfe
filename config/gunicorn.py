"""How the web server runs: `gunicorn -c python:config.gunicorn config.wsgi`. What a command line says wins."""

import gc
import logging
import os
import signal
from typing import Any

from config.processes import die_with_parent

worker_class = "gthread"
threads = 8
timeout = 120
control_socket_disable = True


def post_fork(_server: Any, worker: Any) -> None:
    """Let no worker outlive its master.

    After `kill -9` of the master (the kernel's, when memory is short) its workers would hold the port while they end,
    so that the next master waits for it and whoever connects meanwhile waits in a queue that nobody serves.
    """
    die_with_parent(signal.SIGKILL)
    if os.getppid() != worker.ppid:  # it was gone before the kernel knew
        os._exit(1)


def post_worker_init(_worker: Any) -> None:
    """What a process holds once the application is loaded stays: the garbage collector need not walk through it again
    with every full round, in the middle of somebody's request."""
    gc.collect()
    gc.freeze()


def worker_exit(_server: Any, worker: Any) -> None:
    """End the process of a worker that has stopped serving, whatever its threads still wait for.

    A gthread worker stops accepting, gives its requests the time of grace and returns; then Python waits for its
    threads. One that reads a body that never comes keeps the process, and with it every other connection of the worker:
    open, promised to be kept alive, and read by nobody, so that a browser's next request on it hangs. The master kills
    such a worker; where there is no master any more, and no kernel that ends orphans, nobody does.
    """
    if worker.booted:  # else the exit status says to the master why it could not start
        logging.shutdown()
        os._exit(0)
