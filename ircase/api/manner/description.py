"""The OpenAPI document, finished: what ninja cannot know of an operation because it holds for all of them alike.

Scopes stand as security requirements (https://spec.openapis.org/oas/v3.1.0#security-requirement-object: roles in the
list of a scheme that is not OAuth), and as `x-scope`. Errors are problem details in every operation."""

import functools
import re
from pathlib import Path
from typing import Any, Final

import yaml
from ninja import NinjaAPI, Router, Schema
from ninja.constants import NOT_SET
from ninja.operation import Operation
from pydantic import Field

from ircase.api.auth import TokenAuth
from ircase.api.manner import etags
from ircase.api.manner.door import READING, matches_itself
from ircase.api.manner.errors import CONTENT_TYPE, kind_of
from ircase.api.manner.once import HEADER as KEY_HEADER

_EXAMPLES: Final = Path(__file__).with_name("examples.yaml")
_FILE: Final = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
_SCHEME: Final = "TokenAuth"
# Which errors an operation can answer with, beside those of its own.
_OF_ALL: Final = (400, 401, 403, 404, 422, 429, 500)
_OF_READING: Final = (409, 410)
_OF_CHANGES: Final = (409, 410, 412, 413, 428, 507)
_TEXT: Final = {"type": "string"}
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "ETag": {"description": "What If-None-Match and If-Match take.", "schema": _TEXT},
    "Link": {"description": "The pages beside this one, by RFC 8288: first, prev, next.", "schema": _TEXT},
    "RateLimit": {"description": "What is left of each limit (r) and for how many seconds (t).", "schema": _TEXT},
    "X-Request-ID": {"description": "The request's id, yours or a new one.", "schema": _TEXT},
}
_IF_NONE_MATCH: Final = {
    "in": "header", "name": "If-None-Match", "required": False, "schema": _TEXT,
    "description": "ETags that you have. 304 without a body where one of them is what there is.",
}  # fmt: skip
_IF_MATCH: Final = {
    "in": "header", "name": "If-Match", "required": False, "schema": _TEXT,
    "description": "The ETag that you read. 412, and nothing is changed, where it was changed since.",
}  # fmt: skip
_KEY: Final = {
    "in": "header", "name": KEY_HEADER, "required": False, "schema": {**_TEXT, "maxLength": 255},
    "description": "A name of yours for this request, such as a UUID. Sent again within a day it is done once.",
}  # fmt: skip


class Problem(Schema):
    """What was wrong and what to do, by RFC 9457."""

    type: str = Field(description="Which sort of problem: urn:ircase:problem: and a word.")
    title: str = Field(description="The sort, in words.")
    status: int
    detail: str = Field(description="What was wrong this time.")
    instance: str = Field(description="urn:ircase:request: and the request's id, which stands in the log.")
    advice: str = Field(description="What to do.")
    errors: Any = Field(None, description="Where fields do not fit: which, and why.")


def name_scopes(router: Router, auth: TokenAuth) -> None:
    """Write into the description of each operation which scope it needs, as `x-scope`."""
    for view in router.path_operations.values():
        for operation in view.operations:
            scope = auth.scope_for(operation.methods[0])
            operation.openapi_extra = {**(operation.openapi_extra or {}), "x-scope": scope.value}


def finish(api: NinjaAPI, document: dict[str, Any]) -> None:
    """Complete `document`, which ninja made of `api`, in place."""
    schemas = document["components"]["schemas"]
    schemas["Problem"] = Problem.json_schema()
    document["components"]["responses"] = {_name(status): _response(status) for status in (*_OF_ALL, *_OF_CHANGES)}
    document["components"]["headers"] = _HEADERS
    examples = _examples()
    for name, value in examples.items():
        if name in schemas:
            schemas[name]["examples"] = [value]
    for path, operation in _operations(api):
        for method in operation.methods:
            found = _at(document, path).get(method.lower())
            if found is not None:
                _complete(found, operation, method)


def _at(document: dict[str, Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"].get(f"/api/v1{re.sub('{[^}:]+:', '{', path)}", {})
    return found


def _operations(api: NinjaAPI) -> list[tuple[str, Operation]]:
    return [
        (path, operation)
        for router in api._get_bound_routers()
        for path, view in router.path_operations.items()
        for operation in view.operations
    ]


def _complete(found: dict[str, Any], operation: Operation, method: str) -> None:
    scope, reading = found["x-scope"], method in READING
    found["security"] = [{_SCHEME: [scope]}]
    found["parameters"] = [*found.get("parameters", []), *_parameters(found, operation, method)]
    told = [found.get("description") or f"{found['summary']}.", f"Needs the scope `{scope}`."]
    listed = _is_list(found)
    told += ["Comes in pages: `limit`, `offset`, and the header Link."] if listed else []
    found["description"] = "\n\n".join(told)
    said: dict[Any, Any] = found["responses"]
    for status, reply in said.items():
        if int(status) < 300:
            if _is_file(operation, int(status)):
                reply["content"] = _FILE
            names = ["X-Request-ID", "RateLimit", *(["ETag"] if reading else []), *(["Link"] if listed else [])]
            reply["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    if reading:
        said[304] = {"description": "You have it already."}
    for status in (*_OF_ALL, *(_OF_READING if reading else _OF_CHANGES)):
        said[status] = {"$ref": f"#/components/responses/{_name(status)}"}


def _parameters(found: dict[str, Any], operation: Operation, method: str) -> list[dict[str, Any]]:
    if method in READING:
        return [_IF_NONE_MATCH]
    wanted = [_IF_MATCH] if etags.guarded(operation.path) and not matches_itself(operation) else []
    return [*wanted, _KEY] if method == "POST" else wanted


def _is_file(operation: Operation, status: int) -> bool:
    """Whether bytes leave as they are, as a download of whatever type."""
    model = operation.response_models.get(status)
    return model is NOT_SET or getattr(model, "__annotations__", {}).get("response") is bytes


def _is_list(found: dict[str, Any]) -> bool:
    names = {one["name"] for one in found.get("parameters", ()) if one["in"] == "query"}
    return {"limit", "offset"} <= names


def _name(status: int) -> str:
    return "".join(part.title() for part in kind_of(status).name.split("-"))


def _response(status: int) -> dict[str, Any]:
    kind = kind_of(status)
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": f"{kind.title}. {kind.advice}", "content": content}


@functools.cache
def _examples() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(_EXAMPLES.read_text(encoding="utf-8"))
    return found
