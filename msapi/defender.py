"""Microsoft Defender for Endpoint: devices, Live Response, response actions, the tenant's script library.

https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, BinaryIO, Final

from msapi.blobs import BlobStore, Downloaded
from msapi.commands import GetFile, LiveResponseCommand, PutFile, RunScript, check_file_name, check_order
from msapi.endpoint import Audience, is_guid
from msapi.errors import BadReply, InvalidParameter, NotFound
from msapi.files import FileProfile, FileStats, read_file_profile, read_file_stats
from msapi.machines import (
    LibraryFile,
    LogonUser,
    Machine,
    MachineAction,
    MachineAlert,
    read_action,
    read_library_file,
    read_logon_user,
    read_machine,
    read_machine_alert,
)
from msapi.multipart import FilePart
from msapi.reading import objects, text
from msapi.scripts import ScriptResult, Unpacked, Wrapping, gunzip, parse_script_result, sniff
from msapi.transport import Call, Transport

__all__ = [
    "BlobStore",
    "Defender",
    "Downloaded",
    "GetFile",
    "LiveResponseCommand",
    "PutFile",
    "RunScript",
    "ScriptResult",
    "Unpacked",
    "Wrapping",
    "gunzip",
    "parse_script_result",
    "sniff",
]

_MACHINE_ID: Final = re.compile(r"[0-9a-fA-F]{40}")
_DNS_NAME: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_])?")
_FILE_HASH: Final = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_SHA1: Final = re.compile(r"[0-9a-fA-F]{40}")
_PAGE: Final = 10_000
_READ: Final = ("Machine.Read.All", "Machine.ReadWrite.All")
_SERVICE: Final = Audience.DEFENDER.title


class Defender:
    """Defender's calls for one tenant. Methods raise an `ApiError`.

    Calls that change a device are never repeated after a doubtful outcome: they raise `Ambiguous`, and `find_action`
    tells whether the action exists.
    """

    def __init__(self, transport: Transport, blobs: BlobStore | None = None) -> None:
        self._transport = transport
        self._blobs = blobs or BlobStore(transport.endpoint)

    # Devices

    def machines(self, filter: str = "", limit: int | None = None) -> Iterator[Machine]:
        """Devices, page by page, at most `limit`. `filter` is OData, as in `startswith(computerDnsName,'srv')`."""
        return (read_machine(raw) for raw in self._listed("/api/machines", filter, limit))

    def machine(self, id_or_name: str) -> Machine:
        """One device by its id (40 hex digits) or its full DNS name. NotFound where there is none."""
        return read_machine(self._get(f"/api/machines/{_machine(id_or_name)}", _READ))

    def machines_by_tag(self, tag: str, *, prefix: bool = False) -> Iterator[Machine]:
        """Devices that carry a tag, or one that begins so."""
        params = {"tag": tag, "useStartsWithFilter": "true" if prefix else "false"}
        call = Call(Audience.DEFENDER, "GET", "/api/machines/findbytag", params=params, needs=_READ)
        return (read_machine(raw) for raw in objects(self._transport.json(call), "value"))

    def logon_users(self, machine_id: str) -> Iterator[LogonUser]:
        """Accounts seen to sign in to a device."""
        path = f"/api/machines/{_machine_id(machine_id)}/logonusers"
        return (read_logon_user(raw) for raw in self._listed(path, needs=("User.Read.All",)))

    def alerts(self, machine_id: str) -> Iterator[MachineAlert]:
        """Alerts of a device."""
        path = f"/api/machines/{_machine_id(machine_id)}/alerts"
        needs = ("Alert.Read.All", "Alert.ReadWrite.All")
        return (read_machine_alert(raw) for raw in self._listed(path, needs=needs))

    def tag(self, machine_id: str, tag: str, *, remove: bool = False) -> Machine:
        """Add a tag to a device, or remove it."""
        body = {"Value": tag, "Action": "Remove" if remove else "Add"}
        path = f"/api/machines/{_machine_id(machine_id)}/tags"
        call = Call(Audience.DEFENDER, "POST", path, body=body, needs=("Machine.ReadWrite.All",))
        return read_machine(_object(self._transport.json(call)))

    # Files

    def file(self, sha: str) -> FileProfile:
        """What Defender knows of a file, by its SHA-1 or SHA-256. NotFound where it knows none; 100 calls a minute,
        1,500 an hour. https://learn.microsoft.com/defender-endpoint/api/get-file-information"""
        return read_file_profile(self._get(f"/api/files/{_file_hash(sha)}", ("File.Read.All",)))

    def file_stats(self, sha: str) -> FileStats:
        """How common a file was in the last 30 days. NotFound where Defender does not know it."""
        path = f"/api/files/{_file_hash(sha)}/stats"
        call = Call(Audience.DEFENDER, "GET", path, params={"lookBackHours": 720}, needs=("File.Read.All",))
        return read_file_stats(_object(self._transport.json(call)))

    def file_alerts(self, sha: str) -> Iterator[MachineAlert]:
        """Alerts that name a file."""
        path = f"/api/files/{_file_hash(sha)}/alerts"
        needs = ("Alert.Read.All", "Alert.ReadWrite.All")
        return (read_machine_alert(raw) for raw in self._listed(path, needs=needs))

    def file_machines(self, sha1: str) -> Iterator[Machine]:
        """Devices that a file was seen on, by its SHA-1 alone; an unknown file was seen on none.
        https://learn.microsoft.com/defender-endpoint/api/get-file-related-machines"""
        if not _SHA1.fullmatch(sha1):
            raise InvalidParameter("The devices of a file are asked for by its SHA-1.", service=_SERVICE)
        return (read_machine(raw) for raw in self._listed(f"/api/files/{sha1.lower()}/machines"))

    # The library of scripts and tools

    def library_files(self) -> Iterator[LibraryFile]:
        """The files of the tenant's Live Response library."""
        call = Call(Audience.DEFENDER, "GET", "/api/libraryfiles", needs=("Library.Manage",))
        return (read_library_file(raw) for raw in objects(self._transport.json(call), "value"))

    def upload_library_file(
        self, name: str, content: bytes, *, description: str = "", parameters: str = "", override: bool = False
    ) -> LibraryFile:
        """Put a file into the library, 20 MB at most, streamed. `parameters` describes its own; `override` replaces
        a file of that name, without it such a file is a BadRequest."""
        check_file_name(name)
        cap = self._transport.endpoint.limits.upload_bytes
        if len(content) > cap:
            raise InvalidParameter(f"The API takes library files up to {cap // 1000**2} MB; larger ones by the portal.")
        form: dict[str, str | FilePart] = {
            "file": FilePart(name, io.BytesIO(content), len(content)),
            "Description": description,
            "ParametersDescription": parameters,
            "HasParameters": "true" if parameters else "false",
            "OverrideIfExists": "true" if override else "false",
        }
        call = Call(
            Audience.DEFENDER,
            "POST",
            "/api/libraryfiles",
            form=form,
            needs=("Library.Manage",),
            idempotent=override,
        )
        return read_library_file(_object(self._transport.json(call)))

    def delete_library_file(self, name: str) -> None:
        """Remove a file from the library. NotFound where there is none."""
        check_file_name(name)
        path = f"/api/libraryfiles/{name}"
        self._transport.json(Call(Audience.DEFENDER, "DELETE", path, needs=("Library.Manage",), idempotent=False))

    # Live Response

    def run_live_response(
        self, machine_id: str, commands: Sequence[LiveResponseCommand], comment: str
    ) -> MachineAction:
        """Start a session that runs `commands` in turn and stops at the first that fails. `comment` should carry a mark
        of its own, by which `find_action` finds the session again. ActiveRequestExists while the device is busy."""
        check_order(commands)
        body = {"Commands": [command.as_json() for command in commands], "Comment": _comment(comment)}
        return self._act(machine_id, "runliveresponse", body, ("Machine.LiveResponse",))

    def live_response_result_link(self, action_id: str, index: int = 0) -> str:
        """A link to the result of command `index`, good for 30 minutes; ask again for another. Never log it."""
        path = f"/api/machineactions/{_action(action_id)}/GetLiveResponseResultDownloadLink(index={int(index)})"
        return _link(self._get(path, ("Machine.ReadWrite.All", "Machine.Read.All")))

    def download(self, link: str, sink: BinaryIO | IO[bytes], *, cap: int | None = None) -> Downloaded:
        """Download a result into `sink`; see `BlobStore.download`."""
        return self._blobs.download(link, sink, cap=cap)

    # Actions

    def machine_action(self, action_id: str) -> MachineAction:
        """One action as it stands now."""
        return read_action(self._get(f"/api/machineactions/{_action(action_id)}", _READ))

    def machine_actions(self, filter: str = "", limit: int | None = None) -> Iterator[MachineAction]:
        """Actions, newest first. `filter` is OData over id, status, machineId, type, requestor, creationDateTimeUtc."""
        listed = self._listed("/api/machineactions", filter, limit, order="creationDateTimeUtc desc")
        return (read_action(raw) for raw in listed)

    def find_action(
        self, machine_id: str, comment_marker: str, *, type: str = "", limit: int = 1000
    ) -> MachineAction | None:
        """The newest action of a device whose comment holds `comment_marker`, among its last `limit`; None without one.

        This is how an ambiguous request is resolved: by looking for its twin before asking again.
        """
        if len(comment_marker) < 8:
            raise InvalidParameter("A comment marker of fewer than 8 characters would find the actions of others.")
        found = [
            action
            for action in self.machine_actions(f"machineId eq '{_machine_id(machine_id)}'", limit)
            if comment_marker in action.comment and type.lower() in ("", action.type.lower())
        ]
        return max(found, key=lambda action: action.created, default=None)

    def cancel(self, action_id: str, comment: str) -> MachineAction:
        """Cancel an action that has not ended."""
        path = f"/api/machineactions/{_action(action_id)}/cancel"
        needs = ("Machine.LiveResponse", "Machine.Isolate", "the permission of the action's own kind")
        body = {"Comment": _comment(comment)}
        call = Call(Audience.DEFENDER, "POST", path, body=body, needs=needs, idempotent=False)
        return read_action(_object(self._transport.json(call)))

    def isolate(self, machine_id: str, comment: str, isolation_type: str = "Full") -> MachineAction:
        """Cut a device off the network: Full, Selective (mail and Teams stay) or UnManagedDevice (contain)."""
        if isolation_type not in ("Full", "Selective", "UnManagedDevice"):
            raise InvalidParameter("Isolation is Full, Selective or UnManagedDevice.", service=_SERVICE)
        body = {"Comment": _comment(comment), "IsolationType": isolation_type}
        return self._act(machine_id, "isolate", body, ("Machine.Isolate",))

    def unisolate(self, machine_id: str, comment: str) -> MachineAction:
        """Let an isolated device back on the network."""
        return self._act(machine_id, "unisolate", {"Comment": _comment(comment)}, ("Machine.Isolate",))

    def restrict(self, machine_id: str, comment: str) -> MachineAction:
        """Let a device run only what Microsoft has signed."""
        body = {"Comment": _comment(comment)}
        return self._act(machine_id, "restrictCodeExecution", body, ("Machine.RestrictExecution",))

    def unrestrict(self, machine_id: str, comment: str) -> MachineAction:
        """Lift the restriction of `restrict`."""
        body = {"Comment": _comment(comment)}
        return self._act(machine_id, "unrestrictCodeExecution", body, ("Machine.RestrictExecution",))

    def scan(self, machine_id: str, comment: str, *, full: bool = False) -> MachineAction:
        """Run an antivirus scan."""
        body = {"Comment": _comment(comment), "ScanType": "Full" if full else "Quick"}
        return self._act(machine_id, "runAntiVirusScan", body, ("Machine.Scan",))

    def quarantine(self, machine_id: str, comment: str, sha1: str) -> MachineAction:
        """Stop and quarantine a file by its SHA-1."""
        if not _SHA1.fullmatch(sha1):
            raise InvalidParameter("Quarantine needs the file's SHA-1, 40 hex digits.", service=_SERVICE)
        body = {"Comment": _comment(comment), "Sha1": sha1.lower()}
        return self._act(machine_id, "StopAndQuarantineFile", body, ("Machine.StopAndQuarantine",))

    def collect_package(self, machine_id: str, comment: str) -> MachineAction:
        """Have the device collect its investigation package."""
        body = {"Comment": _comment(comment)}
        return self._act(machine_id, "collectInvestigationPackage", body, ("Machine.CollectForensics",))

    def package_link(self, action_id: str) -> str:
        """A short-lived link to an investigation package. NotFound until the action is complete; 2 calls a minute."""
        return _link(self._get(f"/api/machineactions/{_action(action_id)}/getPackageUri", _READ))

    def offboard(self, machine_id: str, comment: str) -> MachineAction:
        """Take a Windows device out of Defender."""
        return self._act(machine_id, "offboard", {"Comment": _comment(comment)}, ("Machine.Offboard",))

    def close(self) -> None:
        """Close the connections to the result store."""
        self._blobs.close()

    def _act(self, machine_id: str, verb: str, body: Mapping[str, Any], needs: tuple[str, ...]) -> MachineAction:
        path = f"/api/machines/{_machine_id(machine_id)}/{verb}"
        call = Call(Audience.DEFENDER, "POST", path, body=body, needs=needs, idempotent=False)
        return read_action(_object(self._transport.json(call)))

    def _get(self, path: str, needs: tuple[str, ...]) -> Mapping[str, Any]:
        return _object(self._transport.json(Call(Audience.DEFENDER, "GET", path, needs=needs)))

    def _listed(
        self, path: str, filter: str = "", limit: int | None = None, *, order: str = "", needs: tuple[str, ...] = _READ
    ) -> Iterator[Mapping[str, Any]]:
        """Objects over all pages. With `$top` the service gives no link to the next page, so `$skip` moves on."""
        if limit is not None and limit < 1:
            return
        params: dict[str, str | int] = {"$filter": filter} if filter else {}
        params |= {"$orderby": order} if order else {}
        params |= {"$top": min(limit, _PAGE)} if limit else {}
        given, link = 0, ""
        for _ in range(self._transport.endpoint.limits.pages):
            page = Call(Audience.DEFENDER, "GET", link or path, params={} if link else params, needs=needs)
            try:
                reply = self._transport.json(page)
            except NotFound:
                # Documented for a tenant where nothing was seen lately; a missing device answers the same.
                if path == "/api/machines":
                    return
                raise
            items = objects(reply, "value")
            yield from items[: None if limit is None else limit - given]
            given += len(items)
            link = text(reply, "@odata.nextLink")
            if not items or (limit is not None and given >= limit) or not (link or len(items) >= _PAGE):
                return
            params = {**params, "$skip": given}
        raise BadReply("The list has more pages than the connection's limit allows.", service=_SERVICE)


def _file_hash(value: str) -> str:
    if not _FILE_HASH.fullmatch(value):
        raise InvalidParameter("A file is asked for by its SHA-1 or its SHA-256, in hex digits.", service=_SERVICE)
    return value.lower()


def _machine_id(value: str) -> str:
    if not _MACHINE_ID.fullmatch(value):
        raise InvalidParameter("A device id has 40 hex digits, as DeviceId in hunting.", service=_SERVICE)
    return value.lower()


def _machine(value: str) -> str:
    if not _DNS_NAME.fullmatch(value) or ".." in value:
        raise InvalidParameter("Give a device id (40 hex digits) or a full DNS name.", service=_SERVICE)
    return value


def _action(value: str) -> str:
    if not is_guid(value):
        raise InvalidParameter("An action id is a GUID.", service=_SERVICE)
    return value


def _comment(value: str) -> str:
    if not value.strip():
        raise InvalidParameter("Every action on a device needs a comment that says why.", service=_SERVICE)
    return value


def _object(reply: Any) -> Mapping[str, Any]:
    if not isinstance(reply, Mapping):
        raise BadReply("Defender sent something else than the object asked for.", service=_SERVICE)
    return reply


def _link(reply: Mapping[str, Any]) -> str:
    # Samples of getPackageUri wrap the link in a second pair of quotes.
    link = text(reply, "value").strip().strip('"')
    if not link:
        raise BadReply("Defender gave no download link.", service=_SERVICE)
    return link
