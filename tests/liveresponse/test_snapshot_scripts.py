"""The snapshot scripts as files: what the definitions name is there, and what runs on a device only reads it."""

import re
from pathlib import Path

import pytest
import yaml

from artifacts.printed import BEGIN, END
from artifacts.snapshots import FORMAT, TABLES
from liveresponse import catalogue

APP = Path(str(catalogue.__file__)).resolve().parent
APP = APP if (APP / "scripts").is_dir() else APP.parent
SCRIPTS = sorted((APP / "scripts").glob("IRCase-Snapshot-*.ps1"))
DEFINITIONS = sorted((APP / "collections").rglob("snapshot-*.yaml"))
CHANGING = re.compile(
    r"\b(Set|Remove|New|Clear|Stop|Start|Disable|Enable|Register|Unregister|Copy|Move|Rename|Out)-"
    r"(Item\w*|Content|Service|Process|ScheduledTask|LocalUser|LocalGroup\w*|CimInstance|WmiObject|File)\b"
    r"|Invoke-(Expression|WebRequest|RestMethod)|Add-Content|Add-Type",
    re.IGNORECASE,
)


def test_each_definition_names_a_script_and_a_table_that_are_there() -> None:
    named = set()
    for path in DEFINITIONS:
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))
        (step,) = definition["steps"]
        assert definition["id"] == path.stem and definition["approval"] == "script"
        assert step["output"] == "printed" and step["table"] in TABLES
        named.add(step["run_script"])
    assert named == {script.name for script in SCRIPTS} and len(named) == 3


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_reads_prints_and_changes_nothing(script: Path) -> None:
    text = script.read_bytes().decode("ascii")  # Windows PowerShell 5.1 takes a file without a mark for ANSI
    assert CHANGING.findall(text) == []
    assert f"'{BEGIN}'" in text and f"'{END}'" in text and f"'{FORMAT}'" in text and f"'{script.name}'" in text
    assert set(re.findall(r"'(Device\w+Snapshot)'", text)) <= set(TABLES)
    bare = re.sub(r"<#.*?#>|#[^\n]*|'[^'\n]*'", "", text, flags=re.DOTALL)
    for opening, closing in ("{}", "()", "[]"):
        assert bare.count(opening) == bare.count(closing)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_its_rows_have_the_columns_of_their_tables(script: Path) -> None:
    text = script.read_text(encoding="ascii")
    columns = {column.name for table in set(re.findall(r"'(Device\w+Snapshot)'", text)) for column in TABLES[table]}
    written = set(re.findall(r"^ +([A-Z][A-Za-z0-9]+) = ", text, re.MULTILINE))
    assert written <= columns and columns - written <= {"SnapshotTime", "DeviceName"}
