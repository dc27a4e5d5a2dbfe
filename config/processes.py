"""What the kernel does for processes that belong together."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html


def die_with_parent(with_signal: signal.Signals = signal.SIGTERM) -> None:
    """In a child, early: have the kernel send it `with_signal` when its parent is gone. Linux only, else nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, with_signal)
