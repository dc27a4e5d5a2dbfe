"""Indicators out of other systems' files: STIX 2.x bundles and MISP events. Everything in them is hostile."""

from ircase.exchange.reading.files import MOST_BYTES, MOST_ITEMS, FileError, Reading, read
from ircase.exchange.reading.items import Item

__all__ = ["MOST_BYTES", "MOST_ITEMS", "FileError", "Item", "Reading", "read"]
