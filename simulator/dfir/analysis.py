"""What Live Response's `analyze file` prints, with more and with less in it: Microsoft publishes no schema, so that any
key may be missing. https://learn.microsoft.com/defender-endpoint/live-response-command-examples#analyze

A simulated device has these as files: GetFile of `analysis-<name>.json`, in any folder, gives the one of that name.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from simulator.story import images
from simulator.story.intrusion import CONTROL_HOST, CONTROL_IP, RUN_KEY

_WHOLE: Final[dict[str, Any]] = {
    "scan_status": "Completed",
    "threat_type": "Malware",
    "has_file": True,
    "behavior": {
        "networkTcpIps": [f"{CONTROL_IP}:443"],
        "dnsQueries": [CONTROL_HOST],
        "files": {"Created": [images.IMPLANT.path], "Modified": [], "Deleted": [images.LOADER.path]},
        "registryKeys": {"Set": [{"key": RUN_KEY, "value": "EdgeHelper"}]},
    },
    "reports": [
        {"status": "Malicious", "scan_time": "2026-02-04T15:36:52Z", "source": "Cloud", "report": "Backdoor"},
        {"status": "not_found", "scan_time": None, "source": "Static", "report": None},
    ],
}
ANALYSES: Final[dict[str, str]] = {
    "whole": json.dumps(_WHOLE),
    "without-behavior": json.dumps({"scan_status": "Completed", "reports": [{"status": "Clean"}]}),
    "without-reports": json.dumps({"behavior": {"networkTcpIps": [CONTROL_IP], "files": None}, "has_file": "true"}),
    "status-only": json.dumps({"scan_status": "Pending", "reports": None, "behavior": None}),
    "list": json.dumps([{"behavior": {"networkTcpIps": [{"ip": CONTROL_IP, "port": "443"}]}}, {"scan_status": "x"}]),
    "odd-reports": json.dumps({"scan_status": "Completed", "reports": [{"report": {"family": "Edgehelp"}}, "text", 7]}),
    "console": f"C:\\> analyze file {images.IMPLANT.path} -output json [wait] {{}}\r\n{json.dumps(_WHOLE)}\r\nC:\\>",
}
"""The texts by their names."""
_FILE: Final = re.compile(r"analysis-([a-z-]{1,40})\.json\Z")


def analysis_at(path: str) -> bytes | None:
    """The analysis that lies at a path of a device; None where another file does."""
    found = _FILE.match(path.rsplit("\\", 1)[-1].lower())
    text = ANALYSES.get(found.group(1)) if found else None
    return None if text is None else text.encode()
