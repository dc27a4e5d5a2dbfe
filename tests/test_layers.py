"""The house as a test: imports go down only, lazy ones included, and every task name exists and is used."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("config", "hunting", "liveresponse", "ircase", "msapi", "kql", "artifacts", "simulator")
APPS = ("ircase", "hunting", "liveresponse")
MAY_IMPORT = {
    "config": {"config", "hunting", "liveresponse", "ircase", "msapi", "kql", "artifacts"},
    "hunting": {"hunting", "ircase", "msapi", "kql", "artifacts"},
    "liveresponse": {"liveresponse", "ircase", "msapi", "kql", "artifacts"},
    "ircase": {"ircase", "msapi", "kql", "artifacts"},
    "msapi": {"msapi"},
    "kql": {"kql"},
    "artifacts": {"artifacts", "kql"},
    "simulator": {"simulator", "kql", "artifacts"},
}
NO_DJANGO = ("msapi", "kql", "artifacts", "simulator")
# Inside an app, top to bottom: a file may import its own row and the rows below it.
ROWS = (
    {"urls", "checks", "apps", "signals"},
    {"views", "api", "admin", "management", "tasks"},
    {"context", "middleware", "pages", "palette", "templatetags"},
    {"forms", "runner", "watcher", "taker", "timeliner", "report", "dossier", "dashboard", "casehead", "caselist",
     "clockcard", "finder", "finding", "audit", "commented", "sentences", "spool", "manifest", "gathering", "line",
     "importer", "supplying", "pushing", "destroyer", "looker", "sharer"},
    {"services", "intake", "metrics", "charts", "plots", "markdown", "recognition", "rendering", "work",
     "knownfiles", "profile", "worklist", "curated", "indicators", "entitygraph", "attackmatrix", "exchange",
     "readiness", "exercises"},
    {"results", "clocks", "redaction", "grid", "supertimeline", "providers", "binding", "rowfacts", "quota", "presence",
     "retention", "rowwise", "slicing", "shelf", "telling", "textdiff", "textmerge", "constants", "sweeping",
     "responding"},
    {"ownscripts"},
    {"passwords", "addresses", "throttle"},
    {"catalogue", "values", "nist", "attack", "access", "libraries", "jobs", "store", "incoming", "secrets", "logs",
     "wording", "search", "lifewords", "hookwords", "reportwords", "sharewords", "readywords", "incidentwords",
     "outgoing", "encoded", "importing", "starters", "fetching", "feedfiles", "kinds"},
    {"models"},
)  # fmt: skip


def sources(package: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        if "migrations" not in path.parts:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import, line {node.lineno}"
            yield node.module or "", node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_down_only(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path, tree in sources(package)
        for name, line in imports(tree)
        if (top := name.split(".")[0]) in PACKAGES and top not in MAY_IMPORT[package]
    ]
    assert wrong == []


@pytest.mark.parametrize("package", NO_DJANGO)
def test_pure_packages_know_no_django(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path, tree in sources(package)
        for name, line in imports(tree)
        if name.split(".")[0] in {"django", "celery", "ninja"}
    ]
    assert wrong == []


def row_of(app: str, name: str) -> int | None:
    part = (name.removeprefix(f"{app}.").split(".") or [""])[0]
    return next((place for place, row in enumerate(ROWS) if part in row), None)


@pytest.mark.parametrize("app", APPS)
def test_rooms_of_an_app_are_in_order(app: str) -> None:
    wrong = []
    for path, tree in sources(app):
        inside = ".".join(path.relative_to(ROOT / app).with_suffix("").parts)
        here = row_of(app, f"{app}.{inside}")
        for name, line in imports(tree):
            there = row_of(app, name) if name.startswith(f"{app}.") else None
            if here is not None and there is not None and there < here:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert wrong == []


def test_every_file_of_an_app_has_its_row() -> None:
    homeless = sorted(
        f"{app}/{path.name}"
        for app in APPS
        for path in (ROOT / app).iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").is_file())
        and path.stem not in {"__init__", "migrations"}
        and row_of(app, f"{app}.{path.stem}") is None
    )
    assert homeless == []


TASK = re.compile(r"^(ircase|hunting|liveresponse)\.[a-z_]+$")


def test_every_task_exists_and_every_task_is_used() -> None:
    made = {
        keyword.value.value
        for app in APPS
        for _, tree in sources(app)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "shared_task"
        for keyword in node.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
    }
    sent = _task_arguments()
    assert sent - made == set(), "sent, but no such task"
    assert made - sent == set(), "a task that nobody sends"


def _task_arguments() -> set[str]:
    """First arguments of enqueue(), send(), sweep(…, task) and the names in the clock."""
    found = set()
    for package in ("config", *APPS):
        for _, tree in sources(package):
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    function = getattr(node.func, "attr", getattr(node.func, "id", ""))
                    if function in {"enqueue", "send", "sweep", "send_task", "request"}:
                        values = [*node.args, *(k.value for k in node.keywords if k.arg == "task")]
                        found |= {
                            v.value
                            for v in values
                            if isinstance(v, ast.Constant) and isinstance(v.value, str) and TASK.match(v.value)
                        }
                elif isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple):
                    found |= {
                        v.value
                        for v in node.iter.elts
                        if isinstance(v, ast.Constant) and isinstance(v.value, str) and TASK.match(v.value)
                    }
    return found
