"""Dashboards over the cases that a person may see: panels by section, each number with the rows behind it.

`register` adds a panel: an app above does it when Django starts (docs/dashboard.md).
"""

from ircase.dashboard.deadlines import Deadlines
from ircase.dashboard.improving import Improving
from ircase.dashboard.patterns import Assets, Causes, Indicators, Techniques
from ircase.dashboard.people import People
from ircase.dashboard.phases import Phases
from ircase.dashboard.progress import Progress
from ircase.dashboard.registry import SECTIONS, Source, panels, register, sections, source_of
from ircase.dashboard.scope import Filters, Scope
from ircase.dashboard.shape import Behind, Panel, Table
from ircase.dashboard.standing import Pace, Standing
from ircase.dashboard.times import Times

__all__ = [
    "SECTIONS", "Behind", "Filters", "Panel", "Scope", "Source", "Table", "panels", "register", "sections", "source_of",
]  # fmt: skip

for _source in (
    Standing(), Deadlines(), Pace(), Times(), Phases(), People(), Progress(), Improving(), Causes(), Techniques(),
    Assets(), Indicators(),
):  # fmt: skip
    register(_source)
