"""Where hunts come from: folders, checkouts, zips, and the licence under which they come."""

from pathlib import Path

import pytest

from hunting.importing import Outcome, read
from hunting.importing.checkout import read_checkout
from hunting.importing.licence import recognise

HASH = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "refs/heads/main").write_text(f"{HASH}\n")
    (git / "config").write_text(
        '[core]\n\tbare = false\n[remote "origin"]\n\turl = https://me:secret@example.org/a/b.git\n'
    )
    (tmp_path / "LICENSE").write_text(
        "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining\na copy of"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/hunt.kql").write_text("DeviceEvents | take 5")
    return tmp_path


def test_a_checkout_gives_commit_address_and_licence(checkout: Path) -> None:
    preview = read(checkout)
    assert (preview.kind, preview.commit, preview.licence.name) == ("checkout", HASH, "MIT")
    assert preview.address == "https://example.org/a/b"
    (found,) = preview.members
    origin = found.candidates[0].origin
    assert (found.path, origin.member, origin.commit) == ("sub/hunt.kql", "sub/hunt.kql", HASH)
    assert found.candidates[0].licence.name == "MIT"


@pytest.mark.parametrize(
    ("head", "commit"),
    [
        (f"{OTHER}\n", OTHER),
        ("ref: refs/heads/packed", OTHER),
        ("ref: refs/heads/missing", ""),
        ("ref: ../../../etc/passwd", ""),
        ("ref: refs/heads/../../config", ""),
        ("ref: refs//x", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_heads_of_every_kind(checkout: Path, head: str, commit: str) -> None:
    (checkout / ".git/HEAD").write_text(head)
    (checkout / ".git/packed-refs").write_text(f"# pack-refs\n{HASH} refs/heads/x\n{OTHER} refs/heads/packed\n")
    found = read_checkout(checkout)
    assert found is not None and found.commit == commit


def test_a_git_that_is_a_link_or_a_file_is_none(tmp_path: Path, checkout: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / ".git").symlink_to(checkout / ".git")
    assert read_checkout(other) is None
    (other / ".git").unlink()
    (other / ".git").write_text("gitdir: /etc")
    assert read_checkout(other) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            "                                 Apache License\n                           Version 2.0, January 2004",
            "Apache-2.0",
        ),
        ("GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007 … GNU Affero General Public License later", "GPL-3.0"),
        ("GNU GENERAL PUBLIC LICENSE\n   Version 2, June 1991", "GPL-2.0"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1, February 1999", "LGPL-2.1"),
        ("GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3", "AGPL-3.0"),
        ("Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International", "CC-BY-NC-SA-4.0"),
        ("Creative Commons Attribution 4.0 International Public License", "CC-BY-4.0"),
        ("Redistribution and use in source and binary forms … Neither the name of", "BSD-3-Clause"),
        ("Redistribution and use in source and binary forms", "BSD-2-Clause"),
        ("// SPDX-License-Identifier: EUPL-1.2", "EUPL-1.2"),
        ("All rights reserved.", "not recognised"),
    ],
)
def test_licences_by_their_words(text: str, name: str) -> None:
    assert recognise(text, "LICENSE").name == name


def test_what_a_person_says_of_the_licence_wins(checkout: Path) -> None:
    assert read(checkout, licence="Apache-2.0").licence.name == "Apache-2.0"


def test_a_hunt_that_stands_in_two_files_is_kept_once(tmp_path: Path) -> None:
    (tmp_path / "a.kql").write_text("DeviceEvents | take 5")
    (tmp_path / "b.kql").write_text("// the same\nDeviceEvents\n| limit 5")
    first, second = read(tmp_path).members
    assert (first.outcome, second.outcome) == (Outcome.KEPT, Outcome.DUPLICATE)
    assert second.reason == "It asks the same as a.kql, line 1."
