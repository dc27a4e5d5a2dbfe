"""The log's codes of what is shared with others and read from them, in words."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Detail = Mapping[str, Any]
ICONS: Final = {"share": "package"}
SENTENCES: Final[Mapping[str, Callable[[Detail], str]]] = {
    "share.made": lambda d: f"exported for {d.get('receiver')}, TLP:{str(d.get('highest') or '').upper()} at most:",
    "share.downloaded": lambda d: f"downloaded what was made for {d.get('receiver')}:",
    "share.removed": lambda d: "removed the file",
    "indicator.file_read": lambda d: (
        f"added {d.get('added')} indicators of {d.get('of')} out of a file by {d.get('sender') or 'somebody unnamed'}:"
    ),
}
