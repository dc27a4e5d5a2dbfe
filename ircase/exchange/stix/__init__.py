"""STIX 2.1, https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html."""

from ircase.exchange.stix.bundle import make

__all__ = ["make"]
