"""What a connection can do: which roles its tokens carry, which features therefore work, and one cheap call to each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msapi.defender import Defender
from msapi.endpoint import Audience, Endpoint
from msapi.errors import ApiError, InvalidParameter
from msapi.graph import GraphSecurity
from msapi.incidents import Incident
from msapi.kusto import ClusterEndpoint, Kusto
from msapi.loganalytics import LogAnalytics
from msapi.tokens import TokenProvider
from msapi.transport import Transport


@dataclass(frozen=True, slots=True)
class Feature:
    """Something the product does. Of each group in `needs`, one application role suffices; every group must be met."""

    key: str
    title: str
    audience: Audience
    needs: tuple[tuple[str, ...], ...]

    def lacking(self, roles: frozenset[str]) -> tuple[tuple[str, ...], ...]:
        """The groups of which `roles` holds none."""
        return tuple(group for group in self.needs if not roles & set(group))


_MACHINE: Final = ("Machine.Read.All", "Machine.ReadWrite.All")

#: Permissions as on each call's page under https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list
#: and https://learn.microsoft.com/graph/permissions-reference
FEATURES: Final = (
    Feature("hunting", "Run hunts over Defender XDR", Audience.GRAPH, (("ThreatHunting.Read.All",),)),
    Feature(
        "incidents.read",
        "Open cases from Defender incidents",
        Audience.GRAPH,
        (("SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"),),
    ),
    Feature(
        "incidents.write", "Comment on and update incidents", Audience.GRAPH, (("SecurityIncident.ReadWrite.All",),)
    ),
    Feature("alerts.read", "Read alerts", Audience.GRAPH, (("SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All"),)),
    Feature("machines.read", "Find devices", Audience.DEFENDER, (_MACHINE,)),
    Feature("machines.users", "List the accounts seen on a device", Audience.DEFENDER, (("User.Read.All",),)),
    Feature(
        "machines.alerts",
        "List the alerts of a device",
        Audience.DEFENDER,
        (("Alert.Read.All", "Alert.ReadWrite.All"),),
    ),
    Feature("machines.tag", "Tag devices", Audience.DEFENDER, (("Machine.ReadWrite.All",),)),
    Feature("files", "Look files up for FileProfile()", Audience.DEFENDER, (("File.Read.All",),)),
    Feature("library", "List and upload Live Response scripts", Audience.DEFENDER, (("Library.Manage",),)),
    Feature(
        "live_response",
        "Run Live Response collections",
        Audience.DEFENDER,
        # The result's link needs ReadWrite by the newest page, Read by older ones; the try tells.
        (("Machine.LiveResponse",), _MACHINE),
    ),
    Feature("package", "Collect investigation packages", Audience.DEFENDER, (("Machine.CollectForensics",), _MACHINE)),
    Feature("isolate", "Isolate and release devices", Audience.DEFENDER, (("Machine.Isolate",), _MACHINE)),
    Feature(
        "restrict", "Restrict what a device may run", Audience.DEFENDER, (("Machine.RestrictExecution",), _MACHINE)
    ),
    Feature("scan", "Run antivirus scans", Audience.DEFENDER, (("Machine.Scan",), _MACHINE)),
    Feature("quarantine", "Quarantine files", Audience.DEFENDER, (("Machine.StopAndQuarantine",), _MACHINE)),
    Feature("indicators", "Block indicators in the tenant", Audience.DEFENDER, (("Ti.ReadWrite.All", "Ti.ReadWrite"),)),
    Feature("offboard", "Offboard devices", Audience.DEFENDER, (("Machine.Offboard",), _MACHINE)),
    Feature("loganalytics", "Run hunts over Log Analytics", Audience.LOG_ANALYTICS, (("Data.Read",),)),
)


@dataclass(frozen=True, slots=True)
class AudienceReport:
    """Whether a token was issued, and the roles in it. `problem` says what to do where there is none."""

    audience: Audience
    is_ok: bool
    roles: tuple[str, ...]
    problem: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class FeatureReport:
    """Whether a feature's roles are there. `lacking`: groups of roles, of each of which one must be granted."""

    feature: Feature
    is_ok: bool
    lacking: tuple[tuple[str, ...], ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """How a cheap call went. `is_ok` is None where it was not tried; `problem` then says why."""

    key: str
    title: str
    is_ok: bool | None
    problem: str = ""
    code: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """All of it. `settings` lists what is wrong with the connection itself; then nothing else was tried."""

    settings: tuple[str, ...]
    audiences: tuple[AudienceReport, ...]
    features: tuple[FeatureReport, ...]
    probes: tuple[ProbeReport, ...]

    @property
    def is_ok(self) -> bool:
        """Whether nothing at all stands in the way."""
        parts = [item.is_ok for group in (self.audiences, self.features) for item in group]
        return not self.settings and all(parts) and all(probe.is_ok is not False for probe in self.probes)

    def works(self, key: str) -> bool:
        """Whether the feature of that key has its roles."""
        return any(report.is_ok for report in self.features if report.feature.key == key)


def check(
    endpoint: Endpoint,
    *,
    workspace_id: str = "",
    workspaces: Sequence[str] = (),
    tokens: TokenProvider | None = None,
    transport: Transport | None = None,
) -> PreflightReport:
    """Sign in for each API, weigh the roles, try each API once. Never raises for what the tenant answers.

    Takes seconds: call it from a worker or a page that says so.
    """
    settings = endpoint.problems()
    if settings:
        return PreflightReport(settings, (), (), ())
    provider = tokens or TokenProvider(endpoint)
    audiences = tuple(_signed_in(provider, audience) for audience in Audience)
    by_audience = {report.audience: report for report in audiences}
    features = tuple(_weighed(feature, by_audience[feature.audience]) for feature in FEATURES)
    asked = (workspace_id, *workspaces) if workspace_id else ()
    probes = _probed(endpoint, provider, transport or Transport(endpoint, provider), by_audience, asked)
    return PreflightReport((), audiences, features, probes)


def check_cluster(
    endpoint: ClusterEndpoint, databases: Sequence[str], *, tokens: TokenProvider | None = None
) -> tuple[ProbeReport, ...]:
    """Sign in at a cluster and ask `print 1` of each database. Never raises for what the cluster answers."""
    client = Kusto(endpoint, tokens or TokenProvider(endpoint))
    reports = []
    for name in databases:
        title = f"Azure Data Explorer, {name}: print 1"
        try:
            with client.query(name, "print 1", server_timeout=30) as result:
                next(result.rows, None)
            reports.append(ProbeReport("kusto", title, True))
        except ApiError as error:
            reports.append(ProbeReport("kusto", title, False, str(error), error.code, error.request_id))
    client.close()
    return tuple(reports)


def _signed_in(provider: TokenProvider, audience: Audience) -> AudienceReport:
    try:
        token = provider.token(audience)
    except ApiError as error:
        return AudienceReport(audience, False, (), str(error), error.code)
    roles = tuple(sorted(token.roles))
    if roles:
        return AudienceReport(audience, True, roles)
    problem = (
        f"The token for {audience.title} carries no roles: add application permissions for it to the app registration "
        "and grant admin consent."
    )
    return AudienceReport(audience, True, (), problem)


def _weighed(feature: Feature, report: AudienceReport) -> FeatureReport:
    if not report.is_ok:
        return FeatureReport(
            feature, False, feature.needs, f"No sign-in for {feature.audience.title}: {report.problem}"
        )
    lacking = feature.lacking(frozenset(report.roles))
    if not lacking:
        return FeatureReport(feature, True, ())
    wanted = ", and ".join(" or ".join(group) for group in lacking)
    problem = (
        f"Add the application permission {wanted} for {feature.audience.title} to the app registration "
        "and grant admin consent."
    )
    return FeatureReport(feature, False, lacking, problem)


def _probed(
    endpoint: Endpoint,
    provider: TokenProvider,
    transport: Transport,
    audiences: Mapping[Audience, AudienceReport],
    workspaces: tuple[str, ...],
) -> tuple[ProbeReport, ...]:
    graph, defender = GraphSecurity(transport), Defender(transport)
    logs = LogAnalytics(endpoint, provider)
    probes: tuple[tuple[str, str, Audience, Callable[[], object]], ...] = (
        ("hunting", "Hunting: print 1", Audience.GRAPH, lambda: _rows(graph)),
        ("incidents", "Incidents: the newest one", Audience.GRAPH, lambda: next(_newest(graph), None)),
        ("machines", "Devices: the first one", Audience.DEFENDER, lambda: next(defender.machines(limit=1), None)),
        ("library", "Live Response library", Audience.DEFENDER, lambda: next(defender.library_files(), None)),
        ("loganalytics", "Log Analytics: print 1", Audience.LOG_ANALYTICS, lambda: _workspace(logs, workspaces)),
    )
    reports = tuple(_tried(key, title, audiences[audience], call) for key, title, audience, call in probes)
    logs.close()
    defender.close()
    return reports


def _tried(key: str, title: str, audience: AudienceReport, call: Callable[[], object]) -> ProbeReport:
    if not audience.is_ok:
        return ProbeReport(key, title, None, "Not tried: there is no token for it.")
    try:
        call()
    except _NoWorkspace:
        return ProbeReport(key, title, None, "Not tried: the connection names no workspace.")
    except ApiError as error:
        return ProbeReport(key, title, False, str(error), error.code, error.request_id)
    return ProbeReport(key, title, True)


class _NoWorkspace(InvalidParameter):
    """There is nothing to try."""


def _rows(graph: GraphSecurity) -> int:
    with graph.hunt("print 1") as result:
        return result.row_count


def _newest(graph: GraphSecurity) -> Iterator[Incident]:
    return graph.incidents(top=1, newest_first=True)


def _workspace(logs: LogAnalytics, workspaces: tuple[str, ...]) -> int:
    if not workspaces:
        raise _NoWorkspace("No workspace is named.")
    with logs.query(workspaces[0], "print 1", more=workspaces[1:]) as result:
        return result.row_count
