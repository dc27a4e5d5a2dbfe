"""Helpers for the loader's tests: where the real input is, and how a load's tables are read back."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from artifacts import Limits, LoadReport, load

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
RUN_KEYS = "security-datasets/empire_persistence_registry_modification_run_keys_standard_user.zip"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real input in ../shared/data is not on this machine")

Loaded = Callable[..., LoadReport]


def rows(report: LoadReport, table: str) -> list[dict[str, Any]]:
    """All rows of a table, without the columns that are null or empty."""
    with duckdb.connect(":memory:") as connection:
        result = connection.execute("SELECT * FROM read_parquet(?)", [str(report.table(table).path)])
        names = [entry[0] for entry in result.description or ()]
        return [
            {name: value for name, value in zip(names, values, strict=True) if value not in (None, "")}
            for values in result.fetchall()
        ]


def codes(report: LoadReport) -> list[str]:
    return [problem.code for problem in report.problems]


def counts(report: LoadReport) -> dict[str, int]:
    return {table.name: table.rows for table in report.tables}


def zipped(members: Mapping[str, bytes | str], **options: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            # ZipInfo keeps the name as it is; writestr with a text would tidy it
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


def ndjson(*objects: Mapping[str, Any]) -> str:
    return "".join(json.dumps(item) + "\n" for item in objects)


@pytest.fixture
def run(tmp_path: Path) -> Loaded:
    """Write files by name and load them."""

    def go(files: Mapping[str, bytes | str], limits: Limits | None = None, **options: Any) -> LoadReport:
        folder = tmp_path / "in"
        paths = []
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            paths.append(path)
        return load(paths, tmp_path / "out", limits=limits, **options)

    return go


@pytest.fixture(scope="session")
def run_keys(tmp_path_factory: pytest.TempPathFactory) -> LoadReport:
    """The 40,569 events of the Run-key simulation, loaded once."""
    if not DATA.is_dir():
        pytest.skip("the real input in ../shared/data is not on this machine")
    return load([DATA / RUN_KEYS], tmp_path_factory.mktemp("run_keys"))
