"""A set of hunt files written from the formats alone, before the importer was read.

EXPECTED says what a careful person wants of each member. `importing_set/` holds what can be kept as text; what is
binary, huge or hostile is built by `_built`.
"""

import io
import json
import os
import shutil
import stat
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from hunting.importing import Format, ImportRefused, Member, Outcome, read
from kql.catalogue import INFO
from kql.syntax.parser import parse

SET = Path(__file__).parent / "importing_set"
ANY_NUMBER = ("…",)


@dataclass(frozen=True)
class Want:
    """What a careful person wants of one file.

    `outcome`: kept (the text as it stands), changed (something was done to it, and is said), refused, or duplicate.
    `titles`: a part of each hunt's title, in order, any case; as many as there are hunts. `parameters`: `Name:type`,
    `:type` for any name; names are those of the library where it has one. `says`: parts of the notes and refusals, `|`
    between alternatives.
    """

    outcome: str
    titles: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    says: tuple[str, ...] = ()


def kept(*titles: str, **rest: tuple[str, ...]) -> Want:
    return Want("kept", titles, **rest)


def changed(*titles: str, **rest: tuple[str, ...]) -> Want:
    return Want("changed", titles, **rest)


def refused(*says: str) -> Want:
    return Want("refused", says=says)


EXPECTED = {
    # Markdown.
    "markdown/office-starts-encoded-powershell.md": kept(
        "Encoded PowerShell started by an Office program",
        techniques=("T1059.001", "T1566.001"),
        tables=("DeviceProcessEvents",),
        says=("twin|same|sentinel",),
    ),
    "markdown/tag-glued-to-query.md": changed(
        "Connections to an address by its number only", tables=("DeviceNetworkEvents",), says=("line break|tag|fence",)
    ),
    "markdown/shell-and-prose-in-fences.md": kept(
        "New local administrators", tables=("DeviceEvents",), says=("no query|not kql|no kql|shell|prose|not a query",)
    ),
    "markdown/constants-on-top.md": changed(
        "What a compromised device spoke to",
        parameters=("CompromisedDevice:device_name", "SearchWindow:timespan"),
        techniques=("T1071",),
        tables=("DeviceNetworkEvents",),
    ),
    "markdown/several-statements.md": changed(
        "Password spray that ended in a success",
        parameters=("AccountThreshold:int", "SearchWindow:timespan", "SprayCodes:list[string]"),
        techniques=("T1110.003",),
        tables=("SigninLogs",),
    ),
    "markdown/angle-placeholders.md": changed(
        "Files that one account wrote to a share",
        parameters=(":device_name", ":string"),
        tables=("DeviceFileEvents",),
    ),
    "markdown/curly-placeholders.md": changed(
        "COM objects registered by a user on one device",
        parameters=(":device_id", "SearchWindow:timespan"),
        tables=("DeviceRegistryEvents",),
    ),
    "markdown/missing-pipe.md": refused("pipe seems to be missing before where"),
    "markdown/no-query.md": refused("no block of kql"),
    "markdown/two-in-a-fence.md": kept(
        "Shadow copies deleted",
        "Shadow copies deleted",
        tables=("DeviceProcessEvents", "AlertInfo", "AlertEvidence"),
    ),
    "markdown/star-title.md": kept(
        "Scheduled task that starts from a user's folder", techniques=("T1053.005",), tables=("DeviceEvents",)
    ),
    "markdown/two-hunts-by-section.md": kept(
        "Consents given by users",
        "Applications with new secrets",
        techniques=("T1098.001",),
        tables=("CloudAppEvents", "AuditLogs"),
    ),
    "markdown/html-and-script.md": kept("Beacon by", tables=("DeviceNetworkEvents",)),
    "markdown/tildes-and-list.md": kept("Remote access tools", tables=("DeviceProcessEvents",)),
    "markdown/unclosed-fence-crlf.md": changed("Logons of break-glass accounts", tables=("IdentityLogonEvents",)),
    "markdown/change-this.md": changed(
        "Mail that one person sent", parameters=(":timespan", ":upn|:string"), tables=("EmailEvents",)
    ),
    "markdown/README.md": refused("not kql"),
    "markdown/other-languages.md": kept("Drivers loaded from odd folders", tables=("DeviceEvents",)),
    "markdown/inbox-rules-that-hide-mail.md": kept("inbox rules that hide mail", tables=("OfficeActivity",)),
    "markdown/management-command.md": refused("command"),
    "markdown/reaches-outside.md": kept(
        "Connections to listed addresses", tables=("DeviceNetworkEvents",), says=("externaldata|outside",)
    ),
    # Sentinel.
    "sentinel/hunting-query.yaml": kept(
        "Sign-ins from a country that an account never used", techniques=("T1078.004",), tables=("SigninLogs",)
    ),
    "sentinel/the-same-query-again.yaml": Want("duplicate", says=("the same as sentinel/hunting-query.yaml",)),
    "sentinel/analytics-nrt-bom.yaml": changed(
        "Security log cleared", techniques=("T1070.001",), tables=("SecurityEvent",)
    ),
    "sentinel/analytics-scheduled-crlf.yaml": changed(
        "Many files downloaded by a guest",
        parameters=("Threshold:int",),
        techniques=("T1567", "T1530"),
        tables=("OfficeActivity",),
    ),
    "sentinel/tabs.yaml": changed("Rare user agent", techniques=("T1078",), tables=("SigninLogs",)),
    "sentinel/defender-variant.yaml": kept(
        "LSASS opened by an unsigned program", techniques=("T1003.001",), tables=("DeviceEvents",)
    ),
    "sentinel/broken-quote.yaml": refused("line 3|yaml"),
    "sentinel/no-query.yaml": refused("query"),
    "sentinel/alias-bomb.yaml": refused("more than 200,000 values"),
    "sentinel/python-object.yaml": refused("tag|python"),
    "sentinel/workflow.yaml": refused("query|hunt|format"),
    "sentinel/script-in-fields.yaml": kept("Consent", techniques=("T1098.003",), tables=("AuditLogs",)),
    "sentinel/wrong-types.yaml": kept("", tables=("SigninLogs",)),
    # KustoHawk.
    "kustohawk/pack.json": changed(
        "Alerts of the device",
        "Logons on the device",
        "Sign-ins of the person",
        "Window in quotes",
        parameters=(":device_id", ":timespan", ":upn"),
        tables=("AlertEvidence", "AlertInfo", "DeviceLogonEvents", "EntraIdSignInEvents", "CloudAppEvents"),
    ),
    "kustohawk/pack-partly-broken.json": changed(
        "USB devices that were plugged in", parameters=(":device_id",), tables=("DeviceEvents",), says=("query",)
    ),
    "kustohawk/truncated.json": refused("json"),
    "kustohawk/package.json": refused("query|hunt|array|list|pack"),
    # Plain files.
    "plain/three-hunts.kql": kept(
        "Archives made by one program",
        "Archives sent by mail",
        "Archives put on the web",
        tables=("DeviceFileEvents", "EmailAttachmentInfo", "CloudAppEvents"),
    ),
    "plain/one-hunt-with-gaps.kql": changed(
        "Renamed system programs",
        parameters=("SearchWindow:timespan",),
        techniques=("T1036.003",),
        tables=("DeviceProcessEvents",),
    ),
    "plain/function-and-call.csl": changed(
        "Network logons to a device",
        parameters=("TargetDevice:device_name", "SearchWindow:timespan"),
        tables=("DeviceLogonEvents",),
    ),
    "plain/function-alone.kql": changed(
        "function alone",
        parameters=("TargetDevice:device_name", "SearchWindow:timespan"),
        tables=("DeviceNetworkEvents",),
    ),
    "plain/saved-function.kusto": changed(
        "", parameters=(":upn|:string", "SearchWindow:timespan"), tables=("OfficeActivity",)
    ),
    "plain/only-comments.kql": refused("no query|no kql|empty"),
    "plain/empty.kql": refused("no query|no kql|empty"),
    "plain/prose.kql": refused("line 1|kql|query"),
    "plain/unknown-table.kql": kept("Our firewall", tables=("AcmeFirewall_CL",), says=("AcmeFirewall_CL",)),
    "plain/two-hunts-with-gaps.kql": kept(
        "Programs that are new in the fleet",
        "Programs without a signer",
        tables=("DeviceProcessEvents", "DeviceFileCertificateInfo"),
    ),
    "plain/tools-a.kql": changed("Remote tool A", parameters=("Tools:list[string]",), tables=("DeviceProcessEvents",)),
    "plain/tools-b.kql": changed("Remote tool B", parameters=("Tools:list[string]",), tables=("DeviceProcessEvents",)),
    "plain/unbalanced.kql": refused("line|bracket|parenthes"),
    # Sigma.
    "sigma/two-documents.yml": changed(
        "Mshta Fetches A Script",
        techniques=("T1218.005",),
        tables=("DeviceProcessEvents",),
        says=("zeek|table|counterpart|logsource|log source",),
    ),
    "sigma/correlation.yml": changed("Failed Windows Logon", tables=("DeviceProcessEvents",), says=("correlation",)),
    "sigma/registry-run-key.yml": changed(
        "Run Key Points To A Script", techniques=("T1547.001",), tables=("DeviceRegistryEvents",)
    ),
    "sigma/condition-without-selection.yml": refused("selektion"),
    # Built: binary, huge, hostile.
    "built/utf16.kql": changed("Umlauts", tables=("DeviceEvents",)),
    "built/latin1.kql": changed("M", tables=("DeviceEvents",)),
    "built/binary.kql": refused("binary|text|utf"),
    "built/long.kql": refused("long|large|character"),
    "built/deep.json": refused("deep|nest|level"),
    "built/ten-thousand-fences.md": Want("kept", ANY_NUMBER, tables=("DeviceEvents",), says=("9,500 more blocks",)),
    "built/control\x07\x1b[31m\u202e.kql": kept("Bell", tables=("DeviceEvents",)),
    "built/link.kql": refused("link"),
    "built/pipe.kql": refused("file"),
    "built/not-a-zip.zip": refused("zip"),
    "built/encrypted.zip": refused("encrypt|password"),
    "built/bomb.zip": refused("large|compress|bytes|ratio|MB|MiB|times|size"),
    "built/good.zip": kept("Rare services", tables=("DeviceEvents",)),
    # One good member among those that leave the folder, link or nest; one has a name of 304 characters.
    "built/hostile.zip": kept(
        "Escaped",
        "Drivers",
        tables=("DeviceEvents",),
        says=("leads out of the zip", "link", "archive inside"),
    ),
}

_HUNT = '// {}\nDeviceEvents\n| where ActionType == "{}"\n| project Timestamp, DeviceName\n'


def _deep() -> str:
    return '[{"Name": "deep", "Query": ' + "[" * 100_000 + "]" * 100_000 + "}]"


def _fences() -> str:
    block = "```kql\nDeviceEvents\n| where FileName == 'a{}.exe'\n```\n"
    return "# Many\n\n" + "".join(block.format(number) for number in range(10_000))


def _bomb() -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bomb,
        bomb.open("bomb.kql", "w", force_zip64=True) as member,
    ):
        for _ in range(400):
            member.write(b"DeviceEvents\n" + b" " * (1 << 20))
    return out.getvalue()


def _encrypted() -> bytes:
    """A member whose flag says encrypted, in both headers: zipfile itself cannot write one."""
    raw = bytearray(_zip({"secret.kql": _HUNT.format("Secret", "A")}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    return bytes(raw)


def _zip(members: dict[str, str | bytes], links: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    return out.getvalue()


def _hostile() -> bytes:
    hunt = _HUNT.format("Escaped", "B")
    names = ("../escaped.kql", "a/../../escaped.kql", "/etc/escaped.kql", "C:\\escaped.kql", "x" * 300 + ".kql")
    members: dict[str, str | bytes] = {name: hunt.replace('"B"', f'"B{i}"') for i, name in enumerate(names)}
    members["nested.zip"] = _zip({"inner.kql": _HUNT.format("Inner", "C")})
    members["good/drivers.kql"] = _HUNT.format("Drivers", "DriverLoad")
    return _zip(members, {"link.kql": "/etc/passwd"})


def _built(folder: Path) -> None:
    """The members that are made, not kept."""
    folder.mkdir()
    (folder / "utf16.kql").write_bytes(_HUNT.format("Umlauts: äöü", "D").encode("utf-16"))
    (folder / "latin1.kql").write_bytes(_HUNT.format("Märkte", "E").encode("cp1252"))
    (folder / "binary.kql").write_bytes(bytes(range(256)) * 64)
    clauses = "\n".join(f'| where FileName != "name{number:06}.exe"' for number in range(4_100))
    (folder / "long.kql").write_text("// Long\nDeviceProcessEvents\n" + clauses)
    (folder / "deep.json").write_text(_deep())
    (folder / "ten-thousand-fences.md").write_text(_fences())
    (folder / "control\x07\x1b[31m\u202e.kql").write_text(_HUNT.format("Bell", "F"))
    (folder / "link.kql").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe.kql")
    (folder / "not-a-zip.zip").write_bytes(b"PK\x03\x04 and then nothing of the kind")
    (folder / "encrypted.zip").write_bytes(_encrypted())
    (folder / "bomb.zip").write_bytes(_bomb())
    (folder / "good.zip").write_bytes(_zip({"hunts/services.kql": _HUNT.format("Rare services", "ServiceInstalled")}))
    (folder / "hostile.zip").write_bytes(_hostile())


# --- what the importer makes of it


def _everything(folder: Path) -> Path:
    """The whole set in one folder, the built members with the kept ones."""
    shutil.copytree(SET, folder)
    _built(folder / "built")
    return folder


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Member, ...]]:
    """What became of each member by its path; a zip is read by itself, for it is a source of its own."""
    folder = _everything(tmp_path_factory.mktemp("importing") / "set")
    found = {member.path: (member,) for member in read(folder).members}
    for path in (folder / "built").glob("*.zip"):
        try:
            found[f"built/{path.name}"] = read(path).members
        except ImportRefused as error:
            found[f"built/{path.name}"] = (Member(path.name, Format.ZIP, Outcome.REFUSED, str(error)),)
    return found


def _outcome(found: tuple[Member, ...]) -> str:
    outcomes = {member.outcome.value for member in found}
    return next(o for o in ("changed", "kept", "duplicate", "refused") if o in outcomes)


def _told(found: tuple[Member, ...]) -> str:
    """All that a person is told of a member."""
    texts = [text for member in found for text in (member.reason, f"line {member.line}")]
    texts += [part.reason for member in found for part in member.parts]
    for hunt in (hunt for member in found for hunt in member.candidates):
        texts += [*hunt.changes, *hunt.notes]
    return "\n".join(texts).casefold()


def _has_parameter(parameters: set[tuple[str, str]], wanted: str) -> bool:
    """`Name:type`, `:type` for any name, with `|` between what will do."""
    pairs = [choice.split(":") for choice in wanted.split("|")]
    return any(kind == k and name in ("", n) for name, kind in pairs for n, k in parameters)


def test_every_member_has_an_expectation() -> None:
    kept_files = {path.relative_to(SET).as_posix() for path in SET.rglob("*") if path.is_file()}
    assert kept_files == {name for name in EXPECTED if not name.startswith("built/")}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_member_becomes_what_a_careful_person_wants(name: str, members: dict[str, tuple[Member, ...]]) -> None:
    found, want = members[_shown(name)], EXPECTED[name]
    hunts = [hunt for member in found for hunt in member.candidates]
    told = _told(found)
    assert _outcome(found) == want.outcome, told
    if want.titles != ANY_NUMBER:
        assert len(hunts) == len(want.titles), [hunt.title for hunt in hunts]
        for hunt, title in zip(hunts, want.titles, strict=True):
            assert title.casefold() in hunt.title.casefold()
    parameters = {(p.name, str(p.kind)) for hunt in hunts for p in hunt.parameters}
    assert all(_has_parameter(parameters, wanted) for wanted in want.parameters), parameters
    assert bool(parameters) == bool(want.parameters), parameters
    assert {t for hunt in hunts for t in hunt.techniques} == set(want.techniques)
    assert {t for hunt in hunts for t in hunt.tables} == set(want.tables)
    for words in want.says:
        assert any(word.casefold() in told for word in words.split("|")), told


def _shown(name: str) -> str:
    """The path as a preview names it, without characters that turn or hide text."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf") else c for c in name)


def test_every_refusal_says_why_and_every_hunt_reads(members: dict[str, tuple[Member, ...]]) -> None:
    for member in (member for found in members.values() for member in found):
        assert member.outcome is Outcome.KEPT or member.reason.rstrip().endswith((".", ":")), member
        assert member.path.isprintable()
        for hunt in member.candidates:
            parse(hunt.kql)
            assert hunt.title and len(hunt.title) <= 120 and hunt.title.isprintable()
            assert all(address.startswith("https://") for address in hunt.references)
            assert not {p.name.casefold() for p in hunt.parameters} & {c.casefold() for c in _columns(hunt.tables)}


def _columns(tables: tuple[str, ...]) -> set[str]:
    return {column.name for table in tables if table in INFO for column in INFO[table].columns}


def test_nothing_of_the_set_runs_or_leaves_it(members: dict[str, tuple[Member, ...]]) -> None:
    assert not Path("importing-set-was-here").exists()
    assert not any("root:x:" in hunt.kql for found in members.values() for m in found for hunt in m.candidates)
    outside = [m for m in members["built/hostile.zip"] if m.path.startswith(("..", "/", "a/..", "C:"))]
    assert len(outside) == 4 and all(m.outcome is Outcome.REFUSED for m in outside)


def test_texts_of_a_page_stay_with_their_hunt(members: dict[str, tuple[Member, ...]]) -> None:
    consents, secrets = members["markdown/two-hunts-by-section.md"][0].candidates
    assert consents.techniques == () and secrets.techniques == ("T1098.001",)
    assert consents.description.startswith("Who consented") and secrets.description.startswith("An application")


def test_a_twin_is_kept_with_its_hunt(members: dict[str, tuple[Member, ...]]) -> None:
    (hunt,) = members["markdown/office-starts-encoded-powershell.md"][0].candidates
    assert hunt.sources == ("defender", "loganalytics")
    assert "TimeGenerated" in hunt.twin and "TimeGenerated" not in hunt.kql


def test_one_constant_less_alike_is_not_the_same_hunt(members: dict[str, tuple[Member, ...]]) -> None:
    (one,), (other,) = (members[f"plain/tools-{name}.kql"][0].candidates for name in "ab")
    assert one.kql.split("\n", 1)[1] == other.kql.split("\n", 1)[1]
    assert one.content_hash != other.content_hash
    assert (one.parameters[0].default, other.parameters[0].default) == (
        ("anydesk.exe", "ad_svc.exe"), ("teamviewer.exe", "tv_x64.exe"),
    )  # fmt: skip


def test_a_hunt_with_gaps_keeps_its_end(members: dict[str, tuple[Member, ...]]) -> None:
    for name in ("one-hunt-with-gaps", "two-hunts-with-gaps"):
        assert "| where Devices < 3" in members[f"plain/{name}.kql"][0].candidates[0].kql


def test_the_whole_set_in_a_zip_reads_as_in_a_folder(
    tmp_path: Path, members: dict[str, tuple[Member, ...]]
) -> None:  # fmt: skip
    packed = tmp_path / "set.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(SET.rglob("*")):
            archive.write(path, path.relative_to(SET).as_posix())
    for member in read(packed).members:
        assert member.outcome == members[member.path][0].outcome
        assert [h.kql for h in member.candidates] == [h.kql for h in members[member.path][0].candidates]


def test_what_a_comment_asks_to_change_is_a_parameter_that_asks_the_same(
    members: dict[str, tuple[Member, ...]],
) -> None:
    (hunt,) = members["markdown/change-this.md"][0].candidates
    assert "ago(SearchWindow)" in hunt.kql and "SenderFromAddress == TargetAccount " in hunt.kql
    assert [(p.name, p.default, p.original, p.line) for p in hunt.parameters] == [
        ("SearchWindow", "2d", "2d", 2),
        ("TargetAccount", "someone@example.com", '"someone@example.com"', 3),
    ]


def test_a_comment_that_only_speaks_of_change_lifts_nothing() -> None:
    text = b'DeviceRegistryEvents\n| where ActionType == "RegistryValueSet" // change of a value\n'
    (hunt,) = next(iter(read(text, name="a.kql").members)).candidates
    assert hunt.parameters == () and "RegistryValueSet" in hunt.kql


def test_a_parameter_names_what_stood_in_the_file(members: dict[str, tuple[Member, ...]]) -> None:
    pack = (SET / "kustohawk/pack.json").read_bytes().decode("utf-8-sig")
    queries = "\n".join(entry["Query"].replace("\r\n", "\n") for entry in json.loads(pack))
    hunts = members["kustohawk/pack.json"][0].candidates
    assert all(p.original in queries for hunt in hunts for p in hunt.parameters)
    assert [part.line for part in members["kustohawk/pack-partly-broken.json"][0].parts] == [3, 7, 13, 15]
