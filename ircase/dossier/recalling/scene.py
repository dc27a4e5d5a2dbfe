"""What a rebuild knows while it goes on: the new case, its people, which new row stands for which old one, and what
could not become a row."""

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ircase.dossier.reading import Row, text
from ircase.dossier.recalling.people import People
from ircase.dossier.recalling.values import plain_json
from ircase.models import Case, Evidence, RecordBefore, User

_BATCH: Final = 500
LONGEST_NAME: Final = 64
Rows = list[dict[str, Any]]


def new_uuid(case: Case, old: str) -> uuid.UUID:
    """The uuid that stands, in this case, for what another case called `old`."""
    return uuid.uuid5(case.uuid, old)


def name_of(row: Row) -> str:
    """How other rows of the export call it."""
    return text(row, "_id", LONGEST_NAME)


@dataclass
class Scene:
    """`exhibits` by their labels; `areas` are the export's rows; `known` holds, area by area, the new row for each old
    name."""

    case: Case
    actor: User
    people: People
    areas: Mapping[str, Rows]
    exhibits: Mapping[str, Evidence]
    old_reference: str
    known: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    counts: dict[str, int] = field(default_factory=dict)
    _waiting: list[RecordBefore] = field(default_factory=list)

    def rows(self, area: str) -> Rows:
        return self.areas.get(area, [])

    def find(self, area: str, name: Any) -> Any:
        """The new row for an old one; None where it did not come."""
        there: Mapping[str, Any] = self.exhibits if area == "exhibits" else self.known.get(area, {})
        return there.get(str(name)) if isinstance(name, str | int) else None

    def aside(self, area: str, row: Row, reason: str) -> None:
        """Keep a row that could not become one of this case, with the reason."""
        self.record(area, json.dumps(plain_json(dict(row)), sort_keys=True), name_of(row), reason)

    def record(self, area: str, line: str, old: str = "", reason: str = "") -> None:
        """Keep a line of the export as it came."""
        number = self.counts[area] = self.counts.get(area, 0) + 1
        key = new_uuid(self.case, old) if old else None
        self._waiting.append(
            RecordBefore(
                case=self.case, area=area[:40], sequence=number, key=key, line=line.replace("\x00", ""),
                reason=reason[:300],
            )
        )  # fmt: skip
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        RecordBefore._base_manager.bulk_create(self._waiting, batch_size=_BATCH)
        self._waiting.clear()
