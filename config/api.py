"""The API, assembled: /api/v1/, with its description at /api/v1/openapi.json."""

from ninja import NinjaAPI

from hunting.api import copies, library, notebooks, packs, runs, watches
from ircase.api import (
    administration,
    approvals,
    audit,
    before,
    caseincidents,
    cases,
    checklist,
    clocks,
    comments,
    connections,
    curated,
    custody,
    evidence,
    exports,
    finding,
    findings,
    incidentdoors,
    incidentfiles,
    intake,
    life,
    linking,
    notes,
    people,
    playbooks,
    problems,
    reports,
    retention,
    stars,
    supertimeline,
    work,
)
from ircase.api.auth import PerToken, TokenAuth, name_scopes
from ircase.models import Scope
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
# Each area and the scope that a token needs for what changes something there; reading needs `read`.
_CASE = (
    people, audit, before, cases, checklist, curated, findings, notes, comments, evidence, custody, exports, stars,
    supertimeline, reports, caseincidents, clocks, life, linking, retention,
)  # fmt: skip
_SITE = (finding, approvals, intake, incidentfiles, playbooks, work)
_DOORS = (connections, incidentdoors)
_DEVICES = (collections, batches, definitions, scripts, files, actions)
_HUNTS = (library, runs, packs, copies, notebooks, watches)
_AREAS = (
    (Scope.WRITE, Scope.READ, (*_CASE, *_SITE)),
    (Scope.ADMINISTER, Scope.READ, _DOORS),
    (Scope.ADMINISTER, Scope.ADMINISTER, (administration,)),
    (Scope.HUNT, Scope.READ, _HUNTS),
    (Scope.RESPOND, Scope.READ, _DEVICES),
)
for _changes, _reads, _routers in _AREAS:
    for _area in _routers:
        api.add_router("", _area.router, auth=TokenAuth(_changes, _reads))
        name_scopes(_area.router, TokenAuth(_changes, _reads))
problems.install(api)
