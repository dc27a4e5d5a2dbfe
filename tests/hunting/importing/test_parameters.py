"""Constants of a text as typed parameters; the text then names them, and means what it meant."""

import pytest

from hunting.importing import suggest_parameters
from hunting.importing.parameters import parameterise


def found(text: str) -> dict[str, tuple[str, object]]:
    return {p.name: (str(p.kind), p.default) for p in parameterise(text).parameters}


def body(text: str) -> str:
    return parameterise(text).text


@pytest.mark.parametrize(
    ("value", "name", "kind", "default"),
    [
        ('"laptop1"', "CompromisedDevice", "device_name", "laptop1"),
        ('"not a device name"', "CompromisedDevice", "string", "not a device name"),
        ('"alice@example.org"', "TargetUpn", "upn", "alice@example.org"),
        ("48h", "Span", "timespan", "48h"),
        ("time(1.02:03:04)", "Span", "timespan", "1.02:03:04"),
        ("5", "Limit", "int", 5),
        ("true", "Flag", "bool", True),
        ("datetime(2026-01-02)", "Since", "datetime", "2026-01-02T00:00:00.0000000Z"),
        ('dynamic(["203.0.113.7", "2001:db8::7"])', "BadIps", "list[ip]", ("203.0.113.7", "2001:db8::7")),
        ('dynamic(["a", "b c"])', "Words", "list[string]", ("a", "b c")),
    ],
)
def test_lets_with_a_literal(value: str, name: str, kind: str, default: object) -> None:
    text = f"let {name} = {value};\nT | where x == {name}"
    assert found(text) == {name: (kind, default)}
    assert body(text) == f"T | where x == {name}"


@pytest.mark.parametrize(
    "let",
    [
        'let X = " leads with a space";',
        'let X = "two\\nlines";',
        "let X = 0.5;",
        "let X = -1d;",
        "let X = int(5);",
        "let X = ago(1d);",
        'let X = dynamic(["a", "a"]);',
        'let X = dynamic({"a": 1});',
        "let X = dynamic([1, 2]);",
        'let X = "";',
    ],
)
def test_lets_that_a_parameter_could_not_give_back_stay(let: str) -> None:
    text = f"{let}\nT | where y == X"
    result = parameterise(text)
    if let == 'let X = "";':
        assert [(p.name, p.required, p.default) for p in result.parameters] == [("ValueX", True, None)]
    else:
        assert (result.text, result.parameters) == (text, [])


def test_a_name_that_is_a_columns_or_means_two_things_stays() -> None:
    for text in (
        'let DeviceName = "a";\nDeviceEvents | where DeviceName == DeviceName',
        "let Count = 5;\nT | summarize Count = count() | where Count > 5",
        'let X = "a";\nlet F = (X: string) { T | where y == X };\nF("b") | where z == X',
    ):
        assert "let" in body(text)
        assert not any(p.name in ("DeviceName", "Count", "X") for p in parameterise(text).parameters)


def test_a_name_that_differs_from_a_column_by_case_gets_another() -> None:
    text = 'let deviceId = "{DeviceId}";\nDeviceEvents | where DeviceId == deviceId'
    assert body(text) == "DeviceEvents | where DeviceId == TargetDeviceId"
    assert found(text) == {"TargetDeviceId": ("device_id", None)}


def test_names_are_changed_only_where_they_mean_the_let() -> None:
    text = 'let dev = "a";\nT | where Name == dev and x.dev == "dev" // dev'
    assert body(text) == 'T | where Name == Dev and x.dev == "dev" // dev'


@pytest.mark.parametrize(
    ("text", "expected", "name", "kind"),
    [
        ('T | where DeviceId == "{DeviceId}"', "T | where DeviceId == TargetDeviceId", "TargetDeviceId", "device_id"),
        ("T | where DeviceId == {DeviceId}", "T | where DeviceId == TargetDeviceId", "TargetDeviceId", "device_id"),
        ("T | where t > ago({TimeFrame})", "T | where t > ago(SearchWindow)", "SearchWindow", "timespan"),
        ("T | where t > ago({n}d)", "T | where t > ago(SearchWindow)", "SearchWindow", "timespan"),
        (
            "T | where DeviceName =~ <device name>",
            "T | where DeviceName =~ TargetDevice",
            "TargetDevice",
            "device_name",
        ),
        ("T | where x == '<YOUR-VALUE-HERE>'", "T | where x == YOURVALUEHERE", "YOURVALUEHERE", "string"),
        ("T | where RemoteIP == '{Value}'", "T | where RemoteIP == RemoteAddress", "RemoteAddress", "ip"),
        ("T | where SHA256 in ({Hashes})", "T | where SHA256 in (Sha256Values)", "Sha256Values", "list[sha256]"),
        ('T | where h in (dynamic(["{Sha1}"]))', "T | where h in (Sha1Values)", "Sha1Values", "list[sha1]"),
        ("T | where t > datetime({StartTime})", "T | where t > StartTime", "StartTime", "datetime"),
        ("T | take {Count}", "T | take Count", "Count", "int"),
        (
            'T | where p has @"C:\\Users\\{UserName}\\x"',
            'T | where p has strcat(@"C:\\Users\\", TargetAccountName, @"\\x")',
            "TargetAccountName",
            "string",
        ),
    ],
)
def test_placeholders(text: str, expected: str, name: str, kind: str) -> None:
    assert body(text) == expected
    assert [(n, k) for n, (k, _) in found(text).items()] == [(name, kind)]


@pytest.mark.parametrize(
    "text",
    [
        'T | where x matches regex "[a-z]{3,5}"',
        'T | where x has "<script>"',
        "T | where x has \"<Data Name='y'>\"",
        'T | where x == "{0f0f0f0f-1111-2222-3333-444455556666}"',
        "T | where a < b and c > d",
        'T | extend y = x["{}"] // {DeviceId} <device name>',
        "let F = () { T };\nF()",
        "T | partition by k { U }",
    ],
)
def test_what_only_looks_like_a_placeholder_stays(text: str) -> None:
    result = parameterise(text)
    assert (result.text, result.parameters) == (text, [])


def test_suggestions_for_the_editor_name_constants_too_and_leave_the_text() -> None:
    text = (
        "let Span = 2d;\nSigninLogs | where TimeGenerated > now() - Span"
        ' | where UserPrincipalName =~ "a@example.org" and IPAddress in ("203.0.113.7", "203.0.113.8")'
    )
    offers = {p.name: (str(p.kind), p.found_as) for p in suggest_parameters(text)}
    assert offers == {
        "Span": ("timespan", "let"),
        "TargetAccount": ("upn", "constant"),
        "RemoteAddresses": ("list[ip]", "constant"),
    }
    assert [p.name for p in suggest_parameters('T | where (x == "{DeviceId}"')] == ["TargetDeviceId"]
    assert suggest_parameters("") == []
