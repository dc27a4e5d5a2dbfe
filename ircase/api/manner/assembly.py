"""The API's own class: ninja's, with the manner of ours put around every operation."""

from typing import Any, Final

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from ircase.api import problems
from ircase.api.auth import TokenAuth
from ircase.api.manner import description, links, times
from ircase.api.manner.door import door
from ircase.api.manner.parsing import StrictParser

_ABOUT: Final = (
    "Cases, hunts, collections and evidence. What a person may do here is what they may do in the browser. "
    "How tokens, pages, ETags, idempotency keys and errors work stands in docs/api.md."
)


class Document(OpenAPISchema):
    """Ninja's, but for a schema that is sent and answered: what need not be sent is not required."""

    def add_schema_definitions(self, definitions: dict[str, Any]) -> None:
        for name, made in definitions.items():
            before = self.schemas.get(name)
            if before is None or len(made.get("required", ())) < len(before.get("required", ())):
                self.schemas[name] = made


class CasesApi(NinjaAPI):
    """Every operation of every router has the same door, the same errors and the same words about them."""

    def __init__(self) -> None:
        super().__init__(
            title="IRCase",
            version="1",
            description=_ABOUT,
            urls_namespace="api",
            openapi_url="/openapi.json",
            docs_url=None,  # its page would need script from a content network
            auth=TokenAuth(),
            parser=StrictParser(),
        )
        self.add_decorator(links.noticed, mode="operation")
        self.add_decorator(times.settled, mode="operation")
        self.add_decorator(door, mode="view")
        problems.install(self)
        self._documents: dict[str, Document] = {}

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        prefix = self.get_root_path(path_params or {}) if path_prefix is None else path_prefix
        if prefix not in self._documents:
            made = Document(self, prefix)
            description.finish(self, made)
            self._documents[prefix] = made
        return self._documents[prefix]
