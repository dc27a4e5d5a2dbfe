"""Nothing is fetched behind our back: a Sigma rule with ATT&CK tags becomes KQL, and ATT&CK is read, with every
connection and every look-up of a name refused. pySigma's own data comes from GitHub when its tag validators are used;
they are not.

https://github.com/SigmaHQ/pySigma/blob/main/sigma/data/mitre_attack.py
"""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, socket, sys

def refuse(*_, **__):
    raise AssertionError("a connection was tried")

for name in ("connect", "connect_ex"):
    setattr(socket.socket, name, refuse)
socket.getaddrinfo = socket.create_connection = refuse

import django
django.setup()
from hunting.importing.sigma import read_sigma
from ircase import attack

rule = {
    "title": "A tool", "status": "test", "level": "high",
    "tags": ["attack.execution", "attack.t1059.001", "attack.t1060"],
    "logsource": {"category": "process_creation", "product": "windows"},
    "detection": {"selection": {"Image|endswith": "\\\\tool.exe"}, "condition": "selection"},
}
(draft,) = read_sigma(rule, "a.yml", 1).drafts
assert not draft.refusal and "DeviceProcessEvents" in draft.text, draft
assert set(draft.about.techniques) >= {"T1059.001"}, draft.about
assert attack.find("T1060").id == "T1547.001"
loaded = [name for name in sys.modules if name.startswith(("sigma.data", "sigma.validators"))]
assert not loaded, loaded
print("nothing was fetched")
"""


def test_sigma_and_attack_work_with_the_network_refused(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    path = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=root, env=path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.stdout.strip() == "nothing was fetched", done.stderr[-3000:]
    assert not (tmp_path / ".cache").exists(), "nor is anything put into somebody's home"
