"""Loads every family of operators and functions, so that each has registered itself."""

from __future__ import annotations

import importlib
import pkgutil

from kql.translate import functions, operators


def load() -> None:
    """Import all modules of ``operators`` and ``functions``."""
    for package in (operators, functions):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
