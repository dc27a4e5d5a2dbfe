"""From error answers of any shape to typed errors with a sentence for the person."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msapi import errors
from msapi.faults import CPU_CYCLE, Context, error_from, read_fault

GRAPH = Context("Microsoft Graph", ("ThreatHunting.Read.All",), is_query=True)
DEFENDER = Context("Defender for Endpoint", ("Machine.Isolate",))
LOGS = Context("Log Analytics", ("Data.Read",), is_query=True)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["error", "code", "message", "innererror", "innerError", "details", "line", "pos", "target"]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


def body(code: str, message: str = "", **more: object) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, **more}}).encode()


@pytest.mark.parametrize(
    ("status", "content", "context", "kind", "part"),
    [
        (400, body("BadRequest", "A recognition error occurred."), GRAPH, errors.BadQuery, "recognition error"),
        (400, body("BadRequest", "Query exceeded the timeout period."), GRAPH, errors.QueryTimeout, "narrow"),
        (400, body("BadRequest", "Result size limit exceeded."), GRAPH, errors.ResultTooLarge, "fewer columns"),
        (400, body("BadRequest", "bad"), DEFENDER, errors.BadRequest, "bad"),
        (400, body("ActiveRequestAlreadyExists", "x"), DEFENDER, errors.ActiveRequestExists, "busy"),
        (401, b"", DEFENDER, errors.Unauthorized, "admin consent"),
        (403, body("Forbidden", "no"), DEFENDER, errors.Forbidden, "Machine.Isolate"),
        (403, body("DisabledFeature", "no"), DEFENDER, errors.DisabledFeature, "Advanced features"),
        (403, body("DisallowedOperation", "no"), DEFENDER, errors.Forbidden, "remediation level"),
        (403, body("InsufficientAccessError", "no"), LOGS, errors.Forbidden, "Log Analytics Reader"),
        (404, body("ResourceNotFound", "Machine 1 was not found"), DEFENDER, errors.NotFound, "Machine 1"),
        (429, body("TooManyRequests"), DEFENDER, errors.Throttled, "too many calls"),
        (500, body("UnknownError"), GRAPH, errors.Unavailable, "not available"),
        (504, body("UnknownError"), GRAPH, errors.QueryTimeout, "ran out of time"),
        (504, b"", DEFENDER, errors.Unavailable, "not available"),
        (302, b"", DEFENDER, errors.BadReply, "not followed"),
        (418, b"<html><b>I am</b> a teapot</html>", DEFENDER, errors.BadRequest, "I am a teapot"),
    ],
)
def test_mapping(status: int, content: bytes, context: Context, kind: type[errors.ApiError], part: str) -> None:
    error = error_from(status, {}, content, context)
    assert type(error) is kind
    assert part in str(error)
    assert error.status == status and error.service == context.service


def test_the_innermost_message_and_its_place() -> None:
    nest = {"code": "SYN0002", "message": "Query could not be parsed at 'x'", "line": 1, "pos": 5, "token": "x"}
    content = body(
        "BadArgumentError", "outer", innererror={"code": "SyntaxError", "message": "mid", "innererror": nest}
    )
    error = error_from(400, {}, content, LOGS)
    assert isinstance(error, errors.BadQuery)
    assert (error.line, error.position, error.code) == (1, 5, "BadArgumentError")
    assert "Query could not be parsed" in str(error) and "the query at line 1, position 5:" in str(error)


def test_line_and_position_out_of_a_sentence() -> None:
    error = error_from(400, {}, body("BadRequest", "Syntax error at line 3, position 17: unexpected '|'"), GRAPH)
    assert isinstance(error, errors.BadQuery)
    assert (error.line, error.position) == (3, 17)


def test_a_message_that_is_json_itself() -> None:
    inner = json.dumps({"error": {"code": "x", "message": "Failed to resolve scalar expression named 'y'"}})
    assert "scalar expression named 'y'" in str(error_from(400, {}, body("BadRequest", inner), GRAPH))


def test_cpu_quota_says_so_and_when() -> None:
    said = "You have exceeded processing resources allocated to this tenant. You can run queries again in 00:11:00."
    error = error_from(429, {}, body("TooManyRequests", said), GRAPH)
    assert isinstance(error, errors.Throttled)
    assert (error.reason, error.retry_after, error.permanent) == ("cpu", 660.0, False)
    silent = error_from(429, {}, body("TooManyRequests", "processing resources used up"), GRAPH)
    assert silent.retry_after == CPU_CYCLE


def test_retry_after_header_and_request_id() -> None:
    error = error_from(429, {"retry-after": "17", "Request-Id": "r-1"}, b"", DEFENDER)
    assert (error.retry_after, error.request_id) == (17.0, "r-1")
    error = error_from(400, {}, body("BadRequest", "x", innerError={"request-id": "r-2"}), GRAPH)
    assert error.request_id == "r-2"


@given(
    st.integers(100, 999), st.binary(max_size=400) | JSON.map(lambda value: json.dumps(value).encode()), st.booleans()
)
def test_any_body_gives_an_api_error(status: int, content: bytes, is_query: bool) -> None:
    error = error_from(status, {}, content, Context("S", is_query=is_query))
    assert isinstance(error, errors.ApiError) and str(error)
    read_fault(content)


def test_hostile_sizes_and_depths() -> None:
    deep = b'{"error":' * 100_000
    assert isinstance(error_from(400, {}, deep, DEFENDER), errors.BadRequest)
    long = error_from(400, {}, body("c" * 100_000, "m" * 10_000_000), DEFENDER)
    assert len(str(long)) <= errors.MESSAGE_LIMIT and len(long.code) <= 200


@pytest.mark.parametrize(
    "text",
    [
        "see https://s.blob.core.windows.net/c/b?sv=1&sig=AbC%2Fd&se=2 now",
        "sent Authorization: Bearer abcdefgh.ijkl for it",
        "token eyJ0eXAiOiJKV1Qi.eyJhdWQiOiJ4In0.c2ln was refused",
        "body client_secret=abcdefgh&scope=x",
        'body {"client_secret": "abcdefgh"}',
    ],
)
def test_messages_hold_no_secret(text: str) -> None:
    shown = str(errors.ApiError(text, code=text, request_id=text).__dict__)
    for part in ("AbC", "abcdefgh", "eyJhdWQ", "c2ln"):
        assert part not in shown


def test_errors_survive_the_way_through_a_job_queue() -> None:
    error = errors.BadQuery("no", line=3, position=4, status=400, code="x", retry_after=1.5, service="s")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is errors.BadQuery and str(again) == "no"
    assert again.__dict__ == error.__dict__
