"""Files into tables: event logs, exported Windows events, CSV, NDJSON, Parquet, DFIR zips, and archives of them."""

from artifacts.limits import Limits
from artifacts.loader import OnProgress, ProgressNote, load
from artifacts.report import FileReport, LoadedTable, LoadReport, Problem

__all__ = [
    "FileReport",
    "Limits",
    "LoadReport",
    "LoadedTable",
    "OnProgress",
    "Problem",
    "ProgressNote",
    "load",
]
