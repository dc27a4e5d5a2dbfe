"""ATT&CK data: the shipped one, an uploaded bundle, ids that were given up, and that nothing is fetched."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ircase import attack
from ircase.attack import stix


def bundle(techniques: int = 60, version: str = "99.1", more: list[dict[str, Any]] | None = None) -> bytes:
    """A small bundle in MITRE's shape."""
    tactics = ["initial-access", "execution", "persistence", "discovery", "brand-new-tactic"]
    objects: list[dict[str, Any]] = [{"type": "x-mitre-collection", "x_mitre_version": version}]
    objects += [{"type": "x-mitre-tactic", "id": f"x-mitre-tactic--{t}", "x_mitre_shortname": t} for t in tactics]
    objects.append({"type": "x-mitre-matrix", "tactic_refs": [f"x-mitre-tactic--{t}" for t in reversed(tactics)]})
    objects += [pattern(f"T{1000 + n}", f"Way {n}", tactics[n % 5]) for n in range(techniques)]
    objects += more or []
    return json.dumps({"type": "bundle", "objects": objects}).encode()


def pattern(number: str, name: str, tactic: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "attack-pattern", "id": f"attack-pattern--{number}", "name": name,
        "external_references": [{"source_name": "mitre-attack", "external_id": number}],
        "kill_chain_phases": [{"kill_chain_name": "mitre-attack", "phase_name": tactic}], **more,
    }  # fmt: skip


def read(data: bytes) -> attack.Release:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(data)
        file.flush()
        return stix.read(Path(file.name), "test")


def test_the_shipped_data_knows_what_took_whose_place() -> None:
    assert attack.current_id("T1060") == "T1547.001"
    assert attack.current_id("T1547.001") == "T1547.001"
    assert attack.current_id("T9999") == ""
    found = attack.find("T1060")
    assert found is not None and found.id == "T1547.001"
    assert attack.release().tactics == attack.TACTICS
    assert attack.release().source.startswith("pymispgalaxies ")


def test_a_bundle_is_read_with_its_own_order_of_tactics_and_successors() -> None:
    gone = pattern("T1900", "Old way", "execution", revoked=True)
    dead = pattern("T1901", "Dead way", "execution", x_mitre_deprecated=True)
    sub = pattern("T1001.001", "Small way", "execution")
    way = {"type": "relationship", "relationship_type": "revoked-by", "source_ref": gone["id"],
           "target_ref": "attack-pattern--T1001"}  # fmt: skip
    found = read(bundle(more=[gone, dead, sub, way]))
    assert (found.version, len(found.techniques)) == ("v99.1", 61)
    assert found.tactics == ("Brand new tactic", "Discovery", "Persistence", "Execution", "Initial access")
    assert found.techniques["T1001.001"].name == "Way 1: Small way"
    assert (found.former["T1900"].successor, found.former["T1901"].successor) == ("T1001", "")
    assert attack.Release.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"not json", "no JSON"),
        (bundle()[:-40], "no JSON"),
        (b'{"objects": []}', "holds 0 techniques"),
        (bundle(techniques=10), "holds 10 techniques"),
        (bundle(version=""), "which version"),
        (b"[" * 100_000, "nest deeper"),
    ],
)
def test_what_is_no_bundle_is_refused_with_a_sentence(data: bytes, says: str) -> None:
    with pytest.raises(attack.AttackError, match=says):
        read(data)


def test_an_uploaded_release_is_used_by_everybody_until_it_is_withdrawn(settings: Any, tmp_path: Path) -> None:
    settings.ATTACK_DIR = tmp_path
    before = attack.release().version
    attack.use(read(bundle()))
    assert attack.release().version == "v99.1" and "T1059" in attack.techniques()
    assert attack.find("way 7") == attack.techniques()["T1007"]
    attack.forget()
    assert attack.release().version == before


def test_a_broken_file_on_disk_falls_back_to_the_shipped_data(settings: Any, tmp_path: Path) -> None:
    settings.ATTACK_DIR = tmp_path
    (tmp_path / "current.json").write_text('{"version": 1}')
    assert attack.release().source.startswith("pymispgalaxies ")
