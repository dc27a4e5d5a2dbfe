"""The API, assembled: /api/v1/, with its description at /api/v1/openapi.json."""

from ninja import NinjaAPI

from hunting.api import copies, library, notebooks, packs, runs, watches
from ircase.api import (
    approvals,
    cases,
    checklist,
    connections,
    custody,
    evidence,
    exports,
    findings,
    intake,
    notes,
    people,
    problems,
    reports,
    retention,
    stars,
    supertimeline,
)
from ircase.api.auth import PerToken, TokenAuth
from liveresponse.api import actions, batches, collections, definitions, files
from liveresponse.api import library as scripts

api = NinjaAPI(
    title="IRCase",
    version="1",
    description="Cases, hunts, collections and evidence. What a person may do here is what they may do in the browser.",
    urls_namespace="api",
    openapi_url="/openapi.json",
    docs_url=None,  # its page would need script from a content network
    auth=TokenAuth(),
    throttle=[PerToken()],
)
_CASE = (
    people,
    cases,
    checklist,
    findings,
    notes,
    evidence,
    custody,
    retention,
    exports,
    stars,
    supertimeline,
    reports,
)
_SITE = (approvals, intake, connections)
_DEVICES = (collections, batches, definitions, scripts, files, actions)
for _area in (*_CASE, *_SITE, library, runs, packs, copies, notebooks, watches, *_DEVICES):
    api.add_router("", _area.router)
problems.install(api)
