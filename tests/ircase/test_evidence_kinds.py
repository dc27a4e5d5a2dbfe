"""Every kind of evidence that Graph documents becomes an asset, an indicator or an event; unknown ones stay raw."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ircase.models import Asset, Event, Indicator
from ircase.services.incidents import intake
from msapi.evidence import read_evidence
from msapi.mentions import READERS, Mentions
from tests.cast import CastTestCase
from tests.ircase.incidents import alert, item, keep

SHA = "c" * 64
# kind -> fields, and the (model, kind, text) that it must leave in the case
KINDS: dict[str, tuple[dict[str, Any], set[tuple[str, str, str]]]] = {
    "activeDirectoryDomainEvidence": (
        {"activeDirectoryDomainName": "corp.contoso.com"},
        {("asset", "other", "corp.contoso.com")},
    ),
    "aiAgentEvidence": ({"agentName": "Helper", "agentId": "a1"}, {("asset", "application", "Helper")}),
    "amazonResourceEvidence": ({"resourceName": "i-1", "amazonResourceId": "arn:1"}, {("asset", "other", "i-1")}),
    "azureResourceEvidence": ({"resourceName": "vm1", "resourceId": "/subscriptions/1"}, {("asset", "other", "vm1")}),
    "blobContainerEvidence": ({"name": "backups", "url": "https://x/backups"}, {("asset", "other", "backups")}),
    "blobEvidence": (
        {"url": "https://x/b", "fileHashes": [{"algorithm": "sha256", "value": SHA}], "blobContainer": {"name": "c1"}},
        {("asset", "other", "https://x/b"), ("indicator", "sha256", SHA), ("asset", "other", "c1")},
    ),
    "cloudApplicationEvidence": ({"displayName": "Office", "appId": 11161}, {("asset", "application", "Office")}),
    "cloudLogonRequestEvidence": ({"requestId": "r1"}, {("event", "", "Cloud sign-in request")}),
    "cloudLogonSessionEvidence": (
        {"deviceName": "ws-1", "account": {"userAccount": {"userPrincipalName": "ann@contoso.com"}}},
        {("event", "", "Cloud sign-in session from ws-1"), ("asset", "account", "ann@contoso.com")},
    ),
    "containerEvidence": (
        {
            "name": "web",
            "command": ["sh"],
            "args": ["-c", "curl"],
            "image": {"imageId": "img", "digestImage": f"sha256:{SHA}"},
        },
        {
            ("asset", "other", "web"),
            ("event", "", "Container web ran"),
            ("asset", "other", "img"),
            ("indicator", "sha256", SHA),
        },
    ),
    "containerImageEvidence": ({"imageId": "img"}, {("asset", "other", "img")}),
    "containerRegistryEvidence": ({"registry": "reg.example"}, {("asset", "other", "reg.example")}),
    "dnsEvidence": (
        {"domainName": "Evil.example", "ipAddresses": [{"ipAddress": "192.0.2.5"}]},
        {("indicator", "domain", "evil.example"), ("indicator", "ip", "192.0.2.5")},
    ),
    "fileHashEvidence": ({"algorithm": "sha256", "value": SHA}, {("indicator", "sha256", SHA)}),
    "gitHubOrganizationEvidence": ({"login": "contoso"}, {("asset", "other", "contoso")}),
    "gitHubRepoEvidence": ({"baseUrl": "https://x/r"}, {("asset", "other", "https://x/r")}),
    "gitHubUserEvidence": ({"login": "ann"}, {("asset", "other", "ann")}),
    "googleCloudResourceEvidence": ({"resourceName": "vm"}, {("asset", "other", "vm")}),
    "hostLogonSessionEvidence": (
        {"sessionId": "s", "host": {"deviceDnsName": "srv-1"}},
        {("event", "", "Sign-in session on a device"), ("asset", "device", "srv-1")},
    ),
    "ioTDeviceEvidence": (
        {"deviceName": "camera", "nics": [{"macAddress": "00:11", "ipAddress": {"ipAddress": "192.0.2.8"}}]},
        {("asset", "other", "camera"), ("indicator", "other", "00:11"), ("indicator", "ip", "192.0.2.8")},
    ),
    "kubernetesClusterEvidence": ({"name": "prod"}, {("asset", "other", "prod")}),
    "kubernetesControllerEvidence": ({"name": "d"}, {("asset", "other", "d")}),
    "kubernetesNamespaceEvidence": ({"name": "shop", "cluster": {"name": "prod"}}, {("asset", "other", "shop")}),
    "kubernetesPodEvidence": (
        {
            "name": "web-1",
            "namespace": {"name": "shop", "cluster": {"name": "prod"}},
            "podIp": {"ipAddress": "10.0.0.9"},
        },
        {("asset", "other", "prod/shop/web-1"), ("indicator", "ip", "10.0.0.9")},
    ),
    "kubernetesSecretEvidence": ({"name": "db"}, {("asset", "other", "db")}),
    "kubernetesServiceAccountEvidence": ({"name": "sa"}, {("asset", "other", "sa")}),
    "kubernetesServiceEvidence": (
        {"name": "svc", "externalIPs": [{"ipAddress": "192.0.2.4"}]},
        {("asset", "other", "svc"), ("indicator", "ip", "192.0.2.4")},
    ),
    "mailboxConfigurationEvidence": (
        {"mailboxPrimaryAddress": "ann@contoso.com", "configurationType": "mailForwardingRule"},
        {
            ("asset", "mailbox", "ann@contoso.com"),
            ("event", "", "Mailbox configuration mailForwardingRule of ann@contoso.com"),
        },
    ),
    "mailClusterEvidence": (
        {"clusterBy": "Subject", "emailCount": 9},
        {("event", "", "9 alike messages, grouped by Subject")},
    ),
    "malwareEvidence": (
        {"name": "Emotet", "files": [{"fileDetails": {"sha256": SHA}}]},
        {("indicator", "other", "Emotet"), ("event", "", "Malware Emotet"), ("indicator", "sha256", SHA)},
    ),
    "networkConnectionEvidence": (
        {
            "sourceAddress": {"ipAddress": "10.0.0.1"},
            "destinationAddress": {"ipAddress": "192.0.2.9"},
            "destinationPort": 443,
        },
        {
            ("event", "", "Connection from 10.0.0.1 to 192.0.2.9:443"),
            ("indicator", "ip", "10.0.0.1"),
            ("indicator", "ip", "192.0.2.9"),
        },
    ),
    "nicEvidence": ({"macAddress": "00:22"}, {("indicator", "other", "00:22")}),
    "oauthApplicationEvidence": ({"displayName": "Reader", "appId": "g"}, {("asset", "application", "Reader")}),
    "sasTokenEvidence": (
        {"signatureHash": "abc"},
        {("indicator", "other", "abc"), ("event", "", "Shared access token")},
    ),
    "securityGroupEvidence": ({"displayName": "Admins", "securityGroupId": "g"}, {("asset", "other", "Admins")}),
    "servicePrincipalEvidence": ({"servicePrincipalName": "robot"}, {("asset", "application", "robot")}),
    "submissionMailEvidence": (
        {"subject": "Hi", "sender": "Bad@evil.example", "recipient": "ann@contoso.com", "submitter": "ann"},
        {
            ("event", "", "Message “Hi” reported by ann"),
            ("indicator", "email", "bad@evil.example"),
            ("asset", "mailbox", "ann@contoso.com"),
        },
    ),
    "teamsMessageEvidence": (
        {"subject": "IT", "senderFromAddress": "x@evil.example", "urls": [{"url": "https://evil.example/t"}]},
        {
            ("event", "", "Teams message “IT” from x@evil.example"),
            ("indicator", "email", "x@evil.example"),
            ("indicator", "url", "https://evil.example/t"),
        },
    ),
}


def test_every_reader_is_tried_here() -> None:
    assert {kind.lower() for kind in KINDS} == set(READERS)


@pytest.mark.parametrize("kind", sorted(READERS))
@pytest.mark.parametrize("value", [None, 5, "x", [], {}, [1], ["a"], {"a": {"b": 1}}, [{"ipAddress": 1}]])
def test_values_of_another_shape_stop_nothing(kind: str, value: object) -> None:
    names = {name for fields, _ in KINDS.values() for name in fields} | {"namespace", "resourceId", "account", "host"}
    found = read_evidence(item(kind, **dict.fromkeys(names, value)))
    assert isinstance(found.detail, Mentions)


@settings(max_examples=50, deadline=None)
@given(
    kind=st.sampled_from(sorted(READERS)),
    fields=st.dictionaries(
        st.sampled_from(sorted({name for fields, _ in KINDS.values() for name in fields})),
        st.recursive(
            st.text(max_size=5) | st.integers() | st.none(),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["ipAddress", "name", "value"]), inner, max_size=2)
            ),
            max_leaves=5,
        ),
        max_size=6,
    ),
)
def test_any_evidence_is_read(kind: str, fields: dict[str, Any]) -> None:
    assert isinstance(read_evidence(item(kind, **fields)).detail, Mentions)


class KindsTests(CastTestCase):
    def test_each_leaves_what_it_names_in_the_case(self) -> None:
        for number, (kind, (fields, wanted)) in enumerate(KINDS.items()):
            incident = keep(self.connection, str(9000 + number), alert(str(number), item(kind, **fields)))
            case, _ = intake.accept(incident=incident, actor=self.bob)
            found = {
                ("asset", kind, name) for kind, name in Asset.objects.filter(case=case).values_list("kind", "name")
            }
            found |= {("indicator", k, v) for k, v in Indicator.objects.filter(case=case).values_list("kind", "value")}
            events = Event.objects.filter(case=case).exclude(title__startswith="Alert: ")
            found |= {("event", "", title) for title in events.values_list("title", flat=True)}
            assert found == wanted, kind

    def test_one_that_nobody_knows_is_kept_whole_and_shown(self) -> None:
        incident = keep(self.connection, "1", alert("1", item("quantumEvidence", colour="blue")))
        case, _ = intake.accept(incident=incident, actor=self.bob)
        event = case.events.get(source="quantumEvidence")
        assert (event.row["colour"], event.in_report, event.title) == ("blue", False, "Named by an alert: quantum")
