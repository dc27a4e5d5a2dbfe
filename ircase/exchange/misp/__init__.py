"""MISP's core format, https://www.misp-standard.org/rfc/misp-standard-core.html."""

from ircase.exchange.misp.event import make

__all__ = ["make"]
