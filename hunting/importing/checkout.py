"""The commit and the address of a git checkout, read from its files: git itself is never run, for a hostile
checkout's configuration may name programs.

https://git-scm.com/docs/gitrepository-layout
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_HASH: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_REF: Final = re.compile(r"refs/[A-Za-z0-9_][\w.+-]*(?:/[\w+-][\w.+-]*)*\Z", re.ASCII)
_SMALL: Final = 4096
_PACKED: Final = 50 * 1024 * 1024


@dataclass(frozen=True)
class Checkout:
    """`commit` is "" where HEAD names none; `address` is origin's, without credentials, "" where it is no URL."""

    commit: str
    address: str


def read_checkout(folder: Path) -> Checkout | None:
    """What the folder's `.git` says, None where there is none."""
    git = folder / ".git"
    if git.is_symlink() or not git.is_dir():
        return None
    return Checkout(_commit(git), _address(_text(git / "config", 64 * 1024)))


def _commit(git: Path) -> str:
    head = _text(git / "HEAD").strip()
    if _HASH.match(head):
        return head
    ref = head.removeprefix("ref:").strip()
    if not head.startswith("ref:") or not _REF.match(ref) or ".." in ref:
        return ""
    loose = _text(git / ref).strip()
    return loose if _HASH.match(loose) else _packed(git / "packed-refs", ref)


def _packed(path: Path, ref: str) -> str:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _PACKED:
        return ""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            commit, _, name = line.strip().partition(" ")
            if name == ref and _HASH.match(commit):
                return commit
    return ""


def _text(path: Path, size: int = _SMALL) -> str:
    if path.is_symlink() or not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            return file.read(size).decode("utf-8", "replace")
    except OSError:
        return ""


def _address(config: str) -> str:
    section = re.search(r'^\[remote "origin"\]\s*$(.*?)(?=^\[|\Z)', config, re.MULTILINE | re.DOTALL)
    line = re.search(r"^\s*url\s*=\s*(\S+)\s*$", section[1], re.MULTILINE) if section else None
    return _public(line[1]) if line else ""


def _public(address: str) -> str:
    """The address without name and password; "" for one that is no https or ssh URL."""
    if scp := re.fullmatch(r"[\w.-]+@([\w.-]+):([\w./~-]+)", address, re.ASCII):
        return f"https://{scp[1]}/{scp[2]}".removesuffix(".git")
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return ""
    if parts.scheme not in ("https", "http", "ssh") or not re.fullmatch(r"[\w.-]+", host, re.ASCII):
        return ""
    return f"https://{host}{parts.path}".removesuffix(".git")
