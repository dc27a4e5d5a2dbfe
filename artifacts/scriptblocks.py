"""PowerShell's script blocks, which event 4104 logs in parts, put together again.

https://learn.microsoft.com/en-us/powershell/module/microsoft.powershell.core/about/about_logging_windows
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from artifacts.conversions import integer
from artifacts.records import Record

_PROVIDER = "microsoft-windows-powershell"
_EVENT = 4104
_HELD = 32 << 20  # characters of parts that wait for their others
_PARTS = 10_000


@dataclass
class _Block:
    first: Record
    total: int
    parts: dict[int, str] = field(default_factory=dict)

    def whole(self) -> Record:
        """The block as one event, with the time of the part that came first; parts that never came are counted."""
        text = "".join(self.parts[number] for number in sorted(self.parts))
        data = {**self.first.data, "ScriptBlockText": text}
        if len(self.parts) < self.total:
            data["MissingParts"] = self.total - len(self.parts)
        return replace(self.first, data=data)


class ScriptBlocks:
    """Blocks whose parts have not all come. One per load; ``rest`` empties it at the end of a file."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, str], _Block] = {}
        self._held = 0

    def take(self, record: Record) -> Iterator[Record]:
        """The event itself; for a part of a block nothing, until the last of its parts comes."""
        if record.event_id != _EVENT or record.provider.casefold() != _PROVIDER:
            yield record
            return
        number, total = integer(record.data.get("MessageNumber")), integer(record.data.get("MessageTotal"))
        identity = record.data.get("ScriptBlockId")
        if number is None or total is None or not 1 < total <= _PARTS or not isinstance(identity, str):
            yield record
            return
        key = (record.computer.lower(), identity.lower())
        block = self._blocks.setdefault(key, _Block(record, total))
        if number in block.parts:  # the same block once more: it was logged twice, or the log was read twice
            return
        text = str(record.data.get("ScriptBlockText") or "")
        block.parts[number] = text
        self._held += len(text)
        if len(block.parts) >= block.total:
            yield self._end(key)
        while self._held > _HELD and self._blocks:
            yield self._end(next(iter(self._blocks)))

    def rest(self) -> Iterator[Record]:
        """What is left, as far as it came."""
        while self._blocks:
            yield self._end(next(iter(self._blocks)))

    def _end(self, key: tuple[str, str]) -> Record:
        block = self._blocks.pop(key)
        self._held -= sum(map(len, block.parts.values()))
        return block.whole()
