"""Cyber-observable objects of indicators that were seen: what was there, with the id that everybody gives it."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from ircase.exchange.stix import ids
from ircase.exchange.stix.patterns import as_number, full_key, split_path, thumbprint_hash
from ircase.exchange.texts import plain
from ircase.models import Indicator

Kind = Indicator.Kind
Objects = tuple[dict[str, Any], ...]
# What an object's value must be shaped like (sections 6.4, 6.5, 6.15, 6.17); other texts were never one.
_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = re.compile(rf"({_LABEL}\.)+[A-Za-z][A-Za-z0-9-]{{0,61}}[A-Za-z0-9]")
_EMAIL: Final = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@({_LABEL}\.)+[A-Za-z]{{2,63}}")
_URL: Final = re.compile(r"(?i)(https?|ftp)://[!-;=?-\[\]_a-z~]{1,2000}")
_KEY: Final = re.compile(r"HKEY_[A-Z_]+(\\.*)?")


def observables(kind: str, value: str) -> Objects:
    """The object of the value first, then those it refers to. Empty for what a row alone does not make whole: an
    e-mail by its subject, a request by its user agent, and what STIX has no object for."""
    make = _MAKERS.get(Kind(kind))
    return make(plain(value)) if make and value else ()


def _made(kind: str, **properties: Any) -> dict[str, Any]:
    """An object whose properties all contribute to its id."""
    return {"type": kind, "spec_version": "2.1", "id": ids.observable(kind, properties), **properties}


def _simple(kind: str, name: str) -> Callable[[str], Objects]:
    return lambda value: (_made(kind, **{name: value}),)


def _shaped(kind: str, name: str, shape: re.Pattern[str]) -> Callable[[str], Objects]:
    return lambda value: (_made(kind, **{name: value}),) if shape.fullmatch(value) else ()


def _hashed(kind: str, algorithm: str) -> Callable[[str], Objects]:
    return lambda value: (_made(kind, hashes={algorithm: value}),)


def _address(value: str) -> Objects:
    try:
        version = ipaddress.ip_address(value).version
    except ValueError:
        return ()
    return (_made(f"ipv{version}-addr", value=value),)


def _path(value: str) -> Objects:
    folder, name = split_path(value)
    if not name:
        return (_made("directory", path=folder),) if folder else ()
    if not folder:
        return (_made("file", name=name),)
    parent = _made("directory", path=folder)
    return (_made("file", name=name, parent_directory_ref=parent["id"]), parent)


def _process(value: str) -> Objects:
    # Section 6.13: a process has no contributing properties, its id is a UUIDv4.
    found = {"type": "process", "spec_version": "2.1", "id": ids.derived("process", value), "command_line": value}
    return (found,)


def _certificate(value: str) -> Objects:
    return (_made("x509-certificate", hashes={thumbprint_hash(value): value}),)


_MAKERS: Final[Mapping[str, Callable[[str], Objects]]] = {
    Kind.SHA256: _hashed("file", "SHA-256"),
    Kind.SHA1: _hashed("file", "SHA-1"),
    Kind.MD5: _hashed("file", "MD5"),
    Kind.IP: _address,
    Kind.DOMAIN: _shaped("domain-name", "value", _DOMAIN),
    Kind.URL: _shaped("url", "value", _URL),
    Kind.EMAIL: _shaped("email-addr", "value", _EMAIL),
    Kind.FILE_NAME: _simple("file", "name"),
    Kind.FILE_PATH: _path,
    Kind.REGISTRY: lambda value: _shaped("windows-registry-key", "key", _KEY)(full_key(value)),
    Kind.PROCESS: _process,
    Kind.MUTEX: _simple("mutex", "name"),
    Kind.CERTIFICATE: _certificate,
    Kind.ASN: lambda value: (_made("autonomous-system", number=as_number(value)),),
    Kind.ACCOUNT: _simple("user-account", "account_login"),
}
