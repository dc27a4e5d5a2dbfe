"""Sign-ins, mail and cloud activity: each person's ordinary week, and the intruder in one person's account."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass
from typing import Any

from simulator.story.intrusion import ATTACKER_IP
from simulator.story.recorder import Recorder
from simulator.story.timeline import HOUR, MINUTE, SECOND, stamp
from simulator.story.world import DOMAIN, NETBIOS, Person, World

OFFICE_IP = "192.0.2.10"
RULE_NAME = "."
FORWARD_TO = "archive.mbx@mail-keeper.example"
_BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/138.0 Safari/537.36 Edg/138.0"
_TOOL = "python-requests/2.32"
_APPS = (
    ("Office 365 Exchange Online", "00000002-0000-0ff1-ce00-000000000000"),
    ("Microsoft Teams", "1fec8e78-bce4-4aaf-ab1b-5451cc387264"),
    ("OfficeHome", "4765445b-32c6-49b0-83e6-1d93765276ca"),
)
_PARTNERS = ("agents@tidewater-agency.example", "claims@seacredit.example", "desk@harbour-office.example")
_SUBJECTS = ("Berth slot Thursday", "Invoice 20419", "Crew change papers", "Re: demurrage", "Weekly fuel report")


@dataclass(frozen=True)
class SignIn:
    """One sign-in to Entra. `error` is the AADSTS number, 0 for success."""

    person: Person
    ip: str = OFFICE_IP
    country: str = "NL"
    city: str = "Rotterdam"
    error: int = 0
    app: tuple[str, str] = _APPS[0]
    agent: str = _BROWSER
    risk: str = "none"


def _guid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


@dataclass
class Cloud:
    """Writes the cloud tables."""

    recorder: Recorder
    world: World

    def run(self) -> str:
        """The week of everybody, then the account takeover; returns the network message id of the intruder's mail."""
        for person in self.world.people:
            self._week(person, self.world.random("cloud", person.account))
        return self._takeover(self.world.random("takeover"))

    def _week(self, person: Person, rng: random.Random) -> None:
        week = self.world.week
        for day in range(-week.days + 1, 1):
            if week.is_weekend(day):
                continue
            for _ in range(rng.randrange(2, 5)):
                moment = week.at(day, "07:30:00") + rng.randrange(9 * HOUR)
                self.sign_in(
                    SignIn(person, app=rng.choice(_APPS), error=50126 if rng.random() < 0.03 else 0), moment, rng
                )
            for _ in range(rng.randrange(3, 9)):
                self._mail(person, week.at(day, "08:00:00") + rng.randrange(9 * HOUR), rng)
            for _ in range(rng.randrange(1, 4)):
                self._activity(person, "FileAccessed", week.at(day, "08:30:00") + rng.randrange(8 * HOUR), rng)

    def sign_in(self, attempt: SignIn, moment: int, rng: random.Random) -> None:
        """One sign-in, in the tables of Defender and of Entra's diagnostic log."""
        person, request = attempt.person, _guid(rng)
        shared = {"CorrelationId": _guid(rng), "SessionId": _guid(rng), "UserAgent": attempt.agent,
                  "IPAddress": attempt.ip, "ClientAppUsed": "Browser"}  # fmt: skip
        risk = {"none": 0, "medium": 50, "high": 100}[attempt.risk]
        defender = {
            **shared, "Application": attempt.app[0], "ApplicationId": attempt.app[1], "ErrorCode": attempt.error,
            "LogonType": '["interactiveUser"]', "AccountDisplayName": person.display, "AccountUpn": person.upn,
            "AccountObjectId": person.object_id, "IsGuestUser": False, "IsExternalUser": 0, "Country": attempt.country,
            "City": attempt.city, "RiskLevelAggregated": risk, "RequestId": request, "ReportId": request,
            "OSPlatform": "Windows", "Browser": "Edge" if attempt.agent == _BROWSER else "Other",
            "AuthenticationRequirement": "singleFactorAuthentication", "ConditionalAccessStatus": 2,
        }  # fmt: skip
        self.recorder.row("EntraIdSignInEvents", moment, defender)
        self.recorder.row("AADSignInEventsBeta", moment, {**defender, "RiskLevelDuringSignIn": risk})
        self.recorder.row("SigninLogs", moment, self._signin_log(attempt, moment, shared, request))
        self._identity_logon(attempt, moment, request)

    def _signin_log(self, attempt: SignIn, moment: int, shared: dict[str, str], request: str) -> dict[str, Any]:
        person = attempt.person
        return {
            **shared, "Id": request, "OperationName": "Sign-in activity", "Category": "SignInLogs",
            "ResultType": str(attempt.error), "Identity": person.display, "UserDisplayName": person.display,
            "ResultDescription": "Invalid username or password" if attempt.error else "",
            "UserPrincipalName": person.upn, "UserId": person.object_id, "UserType": "Member",
            "AppDisplayName": attempt.app[0], "AppId": attempt.app[1], "IsInteractive": True,
            "CreatedDateTime": stamp(moment), "Location": attempt.country, "AADTenantId": self.world.tenant_id,
            "LocationDetails": {"city": attempt.city, "countryOrRegion": attempt.country},
            "Status": {"errorCode": attempt.error}, "DeviceDetail": {"operatingSystem": "Windows10"},
            "RiskLevelDuringSignIn": attempt.risk, "RiskLevelAggregated": attempt.risk,
            "RiskState": "atRisk" if attempt.risk != "none" else "none", "ConditionalAccessStatus": "notApplied",
            "AuthenticationRequirement": "singleFactorAuthentication", "SourceSystem": "Azure AD",
        }  # fmt: skip

    def _identity_logon(self, attempt: SignIn, moment: int, request: str) -> None:
        person = attempt.person
        self.recorder.row(
            "IdentityLogonEvents",
            moment,
            {
                "ActionType": "LogonFailed" if attempt.error else "LogonSuccess",
                "Application": "Microsoft 365", "LogonType": "OAuth2:Authorize", "Protocol": "OAuth2",
                "FailureReason": "InvalidPassword" if attempt.error else "",
                "AccountName": person.account, "AccountDomain": DOMAIN, "AccountUpn": person.upn,
                "AccountSid": person.sid, "AccountObjectId": person.object_id, "AccountDisplayName": person.display,
                "IPAddress": attempt.ip, "Location": attempt.country, "OSPlatform": "Windows", "ReportId": request,
            },
        )  # fmt: skip

    def _mail(self, person: Person, moment: int, rng: random.Random) -> None:
        partner = rng.choice(_PARTNERS)
        self._email(moment, _guid(rng), partner, person, rng.choice(_SUBJECTS), "Inbound", rng.randrange(3))

    def _email(
        self, moment: int, message: str, sender: str, recipient: Person, subject: str, direction: str, urls: int
    ) -> None:
        domain = sender.split("@")[1]
        self.recorder.row(
            "EmailEvents",
            moment,
            {
                "NetworkMessageId": message, "InternetMessageId": f"<{message}@{domain}>", "Subject": subject,
                "SenderFromAddress": sender, "SenderMailFromAddress": sender, "SenderFromDomain": domain,
                "SenderMailFromDomain": domain, "SenderIPv4": "198.51.100.80", "EmailDirection": direction,
                "RecipientEmailAddress": recipient.upn, "RecipientObjectId": recipient.object_id,
                "RecipientDomain": DOMAIN, "DeliveryAction": "Delivered", "DeliveryLocation": "Inbox/folder",
                "LatestDeliveryAction": "Delivered", "LatestDeliveryLocation": "Inbox/folder", "UrlCount": urls,
                "AttachmentCount": 0, "EmailLanguage": "en", "ReportId": message,
                "AuthenticationDetails": '{"SPF":"pass","DKIM":"pass","DMARC":"pass"}',
            },
        )  # fmt: skip

    def _activity(
        self, person: Person, action: str, moment: int, rng: random.Random, *, ip: str = OFFICE_IP,
        raw: dict[str, Any] | None = None, office: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        exchange = action in {"New-InboxRule", "MailItemsAccessed", "Send"}
        report = _guid(rng)
        country = "NL" if ip == OFFICE_IP else "MD"
        details = {"Operation": action, "UserId": person.upn, "ClientIPAddress": ip, "ResultStatus": "Succeeded"}
        if exchange:
            details |= {"MailboxOwnerUPN": person.upn, "ClientInfoString": "Client=REST;Client=RESTSystem;;"}
        cloud = {
            "ActionType": action, "Application": "Microsoft Exchange Online" if exchange else "Microsoft OneDrive",
            "ApplicationId": 20893 if exchange else 15600, "AccountObjectId": person.object_id,
            "AccountId": person.upn, "AccountDisplayName": person.display, "IsAdminOperation": False,
            "IPAddress": ip, "CountryCode": country, "UserAgent": _BROWSER if ip == OFFICE_IP else _TOOL,
            "ActivityType": "Basic", "ReportId": report, "AccountType": "Regular", "IsExternalUser": False,
            "ObjectName": (raw or {}).get("ObjectId", "Documents"), "RawEventData": {**details, **(raw or {})},
            "AuditSource": "Defender for Cloud Apps app connector",
        }  # fmt: skip
        self.recorder.row("CloudAppEvents", moment, cloud)
        log = {
            "Operation": action, "RecordType": "ExchangeAdmin" if action == "New-InboxRule" else "ExchangeItem",
            "OfficeWorkload": "Exchange" if exchange else "OneDrive", "UserId": person.upn, "UserType": "Regular",
            "ClientIP": ip, "Client_IPAddress": ip, "ResultStatus": "Succeeded", "OfficeId": report,
            "MailboxOwnerUPN": person.upn if exchange else None, "MailboxOwnerSid": person.sid if exchange else None,
            "SourceSystem": "OfficeActivityManager", **(office or {}),
        }  # fmt: skip
        self.recorder.row("OfficeActivity", moment, log)

    def _takeover(self, rng: random.Random) -> str:
        victim, week = self.world.victim, self.world.week
        for second in range(6):
            attempt = SignIn(victim, ATTACKER_IP, "MD", "Chisinau", 50126, agent=_TOOL, risk="medium")
            self.sign_in(attempt, week.at(0, "14:38:10") + second * 9 * SECOND, rng)
        self.sign_in(
            SignIn(victim, ATTACKER_IP, "MD", "Chisinau", 0, _APPS[2], _TOOL, "high"), week.at(0, "14:40:02"), rng
        )
        parameters = [
            {"Name": "Name", "Value": RULE_NAME}, {"Name": "SubjectOrBodyContainsWords", "Value": "invoice;payment"},
            {"Name": "ForwardTo", "Value": FORWARD_TO}, {"Name": "DeleteMessage", "Value": "True"},
        ]  # fmt: skip
        raw = {"Operation": "New-InboxRule", "ObjectId": f"{victim.account}\\{RULE_NAME}", "Parameters": parameters,
               "UserId": victim.upn, "ClientIP": ATTACKER_IP}  # fmt: skip
        office = {"Parameters": json.dumps(parameters), "OfficeObjectId": raw["ObjectId"]}
        self._activity(victim, "New-InboxRule", week.at(0, "14:44:31"), rng, ip=ATTACKER_IP, raw=raw, office=office)
        for index in range(40):
            moment = week.at(0, "14:46:00") + index * 11 * SECOND
            self._activity(victim, "MailItemsAccessed", moment, rng, ip=ATTACKER_IP)
        self._audit(week.at(0, "14:49:12"), "User registered security info", victim, rng)
        return self._internal_phish(week.at(0, "14:58:40"), rng)

    def _audit(self, moment: int, activity: str, person: Person, rng: random.Random) -> None:
        who = {"user": {"userPrincipalName": person.upn, "id": person.object_id, "ipAddress": ATTACKER_IP}}
        values = {
            "OperationName": activity, "ActivityDisplayName": activity, "Category": "UserManagement",
            "Result": "success", "ResultReason": "User registered Authenticator app with code",
            "Id": _guid(rng), "CorrelationId": _guid(rng), "InitiatedBy": who, "ActivityDateTime": stamp(moment),
            "TargetResources": [{"type": "User", "userPrincipalName": person.upn, "id": person.object_id}],
            "LoggedByService": "Authentication Methods", "AADOperationType": "Add", "Identity": person.display,
        }  # fmt: skip
        self.recorder.row("AuditLogs", moment, values)

    def _internal_phish(self, moment: int, rng: random.Random) -> str:
        victim = self.world.victim
        message = _guid(rng)
        raw = {"Operation": "Send", "UserId": victim.upn, "ClientIP": ATTACKER_IP, "ObjectId": "Updated remote access"}
        self._activity(victim, "Send", moment, rng, ip=ATTACKER_IP, raw=raw)
        for person in self.world.people[2:7]:
            self._email(moment + 4 * SECOND, message, victim.upn, person, "Updated remote access", "Intra-org", 1)
        return message

    def directory(self) -> None:
        """IdentityInfo (a row a day for each person) and the ordinary AuditLogs."""
        rng = self.world.random("directory")
        for day in range(-self.world.week.days + 1, 1):
            moment = self.world.week.at(day, "03:00:00")
            for index, person in enumerate(self.world.people):
                self._identity(person, moment + index * SECOND)
            admin = self.world.stolen_admin
            self._routine_audit(moment + 7 * HOUR + rng.randrange(30 * MINUTE), admin, rng)

    def _identity(self, person: Person, moment: int) -> None:
        given, _, surname = person.display.partition(" ")
        values = {
            "AccountObjectId": person.object_id, "AccountUpn": person.upn, "AccountName": person.account,
            "AccountDomain": DOMAIN, "OnPremSid": person.sid, "AccountDisplayName": person.display,
            "GivenName": given, "Surname": surname, "Department": person.department, "JobTitle": person.title,
            "EmailAddress": person.upn, "City": "Rotterdam", "Country": "Netherlands", "IsAccountEnabled": True,
            "CompanyName": "Northwharf Shipping", "SAMAccountName": person.account, "IdentityEnvironment": "Hybrid",
            "AssignedRoles": ["Global Administrator"] if person.admin else [],
            "SourceProviders": ["AzureActiveDirectory"],
            "GroupMembership": [f"{NETBIOS}\\Domain Admins"] if person.admin else [f"{NETBIOS}\\Domain Users"],
        }  # fmt: skip
        self.recorder.row("IdentityInfo", moment, values)

    def _routine_audit(self, moment: int, admin: Person, rng: random.Random) -> None:
        who = {"user": {"userPrincipalName": admin.upn, "id": admin.object_id, "ipAddress": OFFICE_IP}}
        values = {
            "OperationName": "Update group", "ActivityDisplayName": "Update group", "Category": "GroupManagement",
            "Result": "success", "Id": _guid(rng), "CorrelationId": _guid(rng), "InitiatedBy": who,
            "TargetResources": [{"type": "Group", "displayName": "Crew planning"}], "LoggedByService": "Core Directory",
            "ActivityDateTime": stamp(moment), "AADOperationType": "Update", "Identity": admin.display,
        }  # fmt: skip
        self.recorder.row("AuditLogs", moment, values)
