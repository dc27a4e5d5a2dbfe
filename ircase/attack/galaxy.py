"""The techniques that IRCase is shipped with: the galaxy data of the pymispgalaxies package.

https://github.com/MISP/misp-galaxy
"""

import functools
import importlib.metadata
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any

from ircase.attack.model import ID, Former, Release, Technique, make, tactic_name, with_parents


@functools.cache
def shipped() -> Release:
    """Every enterprise technique, read once per process from 2.5 MB of JSON. The galaxy does not say which version of
    ATT&CK it holds, so its own version stands for it."""
    path = importlib.resources.files("pymispgalaxies") / "data/misp-galaxy/clusters/mitre-attack-pattern.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    values = data["values"]
    by_uuid = {value["uuid"]: _number(value) for value in values}
    found = with_parents([one for one in map(_technique, values) if one])
    former = [_former(value, by_uuid) for value in values if value.get("revoked") and ID.fullmatch(_number(value))]
    package = importlib.metadata.version("pymispgalaxies")
    return make(f"MISP galaxy {data['version']}", f"pymispgalaxies {package}", found, former)


def _number(value: Mapping[str, Any]) -> str:
    return str(value.get("meta", {}).get("external_id", ""))


def _name(value: Mapping[str, Any]) -> str:
    return str(value["value"]).removesuffix(f" - {_number(value)}")


def _technique(value: Mapping[str, Any]) -> Technique | None:
    # "attack-Windows:persistence"; the mobile and the retired PRE-ATT&CK matrices have chains of their own.
    chains = [c.split(":", 1) for c in value.get("meta", {}).get("kill_chain", []) if c.startswith("attack-")]
    if value.get("revoked") or not chains or not ID.fullmatch(_number(value)):
        return None
    return Technique(_number(value), _name(value), tuple(dict.fromkeys(tactic_name(chain[-1]) for chain in chains)))


def _former(value: Mapping[str, Any], by_uuid: Mapping[str, str]) -> Former:
    ways = (r.get("dest-uuid", "") for r in value.get("related", []) if r.get("type") == "revoked-by")
    return Former(_number(value), _name(value), next((by_uuid[way] for way in ways if way in by_uuid), ""))
