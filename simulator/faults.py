"""Faults that tests and the demo switch on by the control endpoint."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from simulator.http import ApiFault
from simulator.quotas import cpu_exceeded
from simulator.tenant import Service

STATUS_FAULTS = frozenset({"400", "401", "403", "404", "429", "500", "502", "503", "504"})
BEFORE_FAULTS = frozenset(
    {"timeout", "slow", "reset", "unknown_error", "cpu_quota", "disabled_feature", "disallowed_operation", "vanished"}
)
AFTER_FAULTS = frozenset({"reset_after", "truncated_reply", "not_json", "empty", "no_content"})
STAMPS = frozenset(
    {
        "stamp_rejected", "stamp_other_hash", "stamp_other_nonce", "stamp_old", "stamp_expired", "stamp_unknown",
        "stamp_forged",
    }
)  # fmt: skip
HANDLER_FAULTS = STAMPS | frozenset(
    {
        "token_life", "expired_link", "truncated_blob", "stalled_blob", "not_gzip", "script_fails", "script_timeout",
        "command_fails", "stays_pending", "partial", "pascal_case", "hostile_zip", "german_device", "cut_blob",
        "cancelled_in_portal", "vanishes", "small_pages", "flipped_blob",
        "id_token",
    }
)  # fmt: skip
KINDS = STATUS_FAULTS | BEFORE_FAULTS | AFTER_FAULTS | HANDLER_FAULTS

_CODES = {
    "400": ("BadRequest", "The request is not valid."),
    "401": ("Unauthorized", "The access token has expired."),
    "403": ("Forbidden", "Access is denied."),
    "404": ("NotFound", "The resource was not found."),
    "429": ("TooManyRequests", "Too many requests."),
    "500": ("InternalServerError", "An unexpected error occurred."),
    "502": ("BadGateway", "Bad gateway."),
    "503": ("ServiceUnavailable", "The service is unavailable."),
    "504": ("GatewayTimeout", "The gateway timed out."),
}


class FaultError(ValueError):
    """A fault that cannot be switched on as described; the message says why."""


@dataclass
class Fault:
    """One fault: where it bites, how many more times, and its figures. `device` keeps it to requests about that one."""

    match: str
    kind: str
    times: int
    options: dict[str, Any]
    device: str = ""

    def strikes(self, subject: str, devices: Collection[str]) -> bool:
        """Whether it bites on a request with this subject, about a device of these names."""
        return self.match in subject and (not self.device or self.device in devices)


def parse_fault(body: dict[str, Any]) -> Fault:
    """A fault from the control endpoint's JSON; raises FaultError."""
    kind, match, times = str(body.get("fault", "")), body.get("match", ""), body.get("times", 1)
    if kind not in KINDS:
        raise FaultError(f"There is no fault {kind!r}; there are {', '.join(sorted(KINDS))}.")
    if not isinstance(match, str) or not match:
        raise FaultError("'match' must be a text that occurs in the method, path or body of the request.")
    if not isinstance(times, int) or isinstance(times, bool) or times < 1:
        raise FaultError("'times' must be a whole number from 1.")
    options = {key: value for key, value in body.items() if key not in {"fault", "match", "times", "device"}}
    device = body.get("device", "")
    if not isinstance(device, str):
        raise FaultError("'device' must be a device's id or name.")
    for name in ("seconds", "retry_after", "size"):
        value = options.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise FaultError(f"'{name}' must be a number, from 0.")
    return Fault(match.lower(), kind, times, options, device.lower())


@dataclass
class Faults:
    """The faults switched on. A fault is used up one request at a time, in the order in which they were set."""

    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Switch one on."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Switch all off."""
        with self._lock:
            self._faults.clear()

    def listing(self) -> list[dict[str, Any]]:
        """What is still switched on."""
        with self._lock:
            return [
                {"match": f.match, "fault": f.kind, "times": f.times, **f.options}
                | ({"device": f.device} if f.device else {})
                for f in self._faults
            ]

    def take(self, subject: str, devices: Collection[str] = ()) -> dict[str, dict[str, Any]]:
        """The faults that bite on a request, kind -> options; each kind at most once, and each counted down. `devices`
        are the id and the names of the device that the request is about."""
        taken: dict[str, dict[str, Any]] = {}
        with self._lock:
            for fault in self._faults:
                if fault.strikes(subject, devices) and fault.kind not in taken and not self._blocked(fault, taken):
                    taken[fault.kind] = fault.options
                    fault.times -= 1
            self._faults = [fault for fault in self._faults if fault.times > 0]
        return taken

    @staticmethod
    def _blocked(fault: Fault, taken: dict[str, dict[str, Any]]) -> bool:
        """Only one fault that answers the request by itself is used for one request."""
        answering = STATUS_FAULTS | BEFORE_FAULTS - {"slow"}
        return fault.kind in answering and any(kind in answering for kind in taken)


def before(active: dict[str, dict[str, Any]], service: Service) -> None:
    """Apply the faults that strike before the handler runs: wait, or raise the error answer."""
    for kind, options in active.items():
        if kind == "slow":
            time.sleep(float(options.get("seconds", 2)))
        elif kind == "timeout":
            time.sleep(float(options.get("seconds", 600)))
            raise ApiFault(504, "GatewayTimeout", "The gateway timed out.")
        elif kind == "reset":
            raise ConnectionResetError("fault: reset")
        elif kind in STATUS_FAULTS:
            raise _status(kind, options, service)
        elif kind in BEFORE_FAULTS:
            raise _named(kind, options)


def _status(kind: str, options: dict[str, Any], service: Service) -> ApiFault:
    code, message = _CODES[kind]
    if kind == "401":
        code = {Service.GRAPH: "InvalidAuthenticationToken", Service.LOG_ANALYTICS: "AuthenticationFailed"}.get(
            service, code
        )
    wait = options.get("retry_after", 2 if kind == "429" else None)
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return ApiFault(int(kind), str(options.get("code", code)), str(options.get("message", message)), headers=headers)


def _named(kind: str, options: dict[str, Any]) -> ApiFault:
    if kind == "unknown_error":
        return ApiFault(504, "UnknownError", "")
    if kind == "cpu_quota":
        return cpu_exceeded(int(options.get("retry_after", 2)))
    if kind == "disabled_feature":
        return ApiFault(403, "DisabledFeature", "Live response is disabled in this tenant.")
    if kind == "disallowed_operation":
        return ApiFault(403, "DisallowedOperation", "The device's group has no remediation level.")
    return ApiFault(404, "ResourceNotFound", "The resource was not found.")


def after(active: dict[str, dict[str, Any]], request: Request, response: Response) -> Response:
    """Apply the faults that spoil an answer after the handler did its work."""
    for kind in active:
        if kind == "reset_after":
            raise ConnectionResetError("fault: reset after the work was done")
        if kind == "truncated_reply":
            data = response.get_data()
            response.set_data(data[: len(data) // 2])
            response.headers["Content-Length"] = str(len(data))
            response.headers["Connection"] = "close"
        elif kind == "not_json":
            return Response("<html><body>Proxy error</body></html>", 200, content_type="text/html")
        elif kind == "empty":
            return Response(b"", 200, content_type="application/json")
        elif kind == "no_content":
            return Response(b"", 204)
    return response
