"""What must hold before the system starts: settings, and the library files."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.utils import timezone

from ircase import catalogue, outgoing, store
from ircase.clocks.reading import regimes
from ircase.secrets import decrypt, encrypt
from ircase.services.identity import passkeys
from ircase.services.vault import stamps


@register(Tags.compatibility)
def playbooks_are_sound(**_: Any) -> list[CheckMessage]:
    try:
        catalogue.playbooks()
    except catalogue.CatalogueError as error:
        return [Error(f"A playbook cannot be used: {error}", id="ircase.E001")]
    return []


@register(Tags.compatibility)
def deadlines_are_sound(**_: Any) -> list[CheckMessage]:
    try:
        regimes()
    except catalogue.CatalogueError as error:
        return [Error(f"A law's deadlines cannot be used: {error}", id="ircase.E010")]
    return []


@register(Tags.security)
def field_keys_work(**_: Any) -> list[CheckMessage]:
    try:
        decrypt(encrypt("probe"))
    except ValueError:
        hint = (
            "Make one with: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
        )
        return [Error("IRCASE_FIELD_KEYS holds no Fernet key.", hint=hint, id="ircase.E002")]
    return []


@register(Tags.security)
def store_can_be_used(**_: Any) -> list[CheckMessage]:
    """The settings of the evidence store fit together. Whether it answers is for `check --deploy`."""
    found: list[CheckMessage] = []
    s3 = settings.S3
    try:
        store.current()
    except store.StoreError as error:
        hint = "Make a key with: python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())'"
        found.append(Error(str(error), hint=hint, id="ircase.E004"))
    if settings.STORE == "s3" and not s3["bucket"]:
        found.append(Error("IRCASE_STORE is s3, and IRCASE_S3_BUCKET names no bucket.", id="ircase.E005"))
    if s3["lock_mode"] not in ("", "GOVERNANCE", "COMPLIANCE") or (s3["lock_mode"] and s3["lock_days"] < 1):
        text = "IRCASE_S3_LOCK_MODE is GOVERNANCE or COMPLIANCE, with IRCASE_S3_LOCK_DAYS of 1 or more."
        found.append(Error(text, id="ircase.E006"))
    if s3["sse"] not in ("", "AES256", "aws:kms", "aws:kms:dsse"):
        found.append(Error("IRCASE_S3_SSE is AES256, aws:kms or aws:kms:dsse.", id="ircase.E007"))
    found += _azure_problems(settings.AZURE) if settings.STORE == "azure" else []
    if min(settings.CASE_QUOTA_BYTES, settings.REHASH_DAYS, settings.STORE_RESERVE_BYTES) < 0 or (
        settings.REHASH_BYTES_PER_SECOND < 1
    ):
        text = "IRCASE_CASE_QUOTA_BYTES, IRCASE_REHASH_DAYS and IRCASE_STORE_RESERVE_BYTES are 0 or more."
        found.append(Error(f"{text} IRCASE_REHASH_BYTES_PER_SECOND is 1 or more.", id="ircase.E008"))
    return found


def _azure_problems(azure: dict[str, Any]) -> list[CheckMessage]:
    """What the settings of a container lack, or say twice."""
    found: list[CheckMessage] = []
    if not azure["container"] or not (azure["account"] or azure["endpoint"]):
        text = "IRCASE_STORE is azure; IRCASE_AZURE_CONTAINER and IRCASE_AZURE_ACCOUNT name no container of an account."
        found.append(Error(text, id="ircase.E011"))
    ways = [name for name in ("key", "sas", "client_secret", "identity") if azure[name]]
    if len(ways) != 1:
        text = "Set one of IRCASE_AZURE_KEY, IRCASE_AZURE_SAS, IRCASE_AZURE_CLIENT_SECRET and IRCASE_AZURE_IDENTITY."
        found.append(Error(text, id="ircase.E012"))
    if (azure["key"] and not azure["account"]) or (
        azure["client_secret"] and not (azure["tenant"] and azure["client_id"])
    ):
        text = "IRCASE_AZURE_KEY needs IRCASE_AZURE_ACCOUNT; IRCASE_AZURE_CLIENT_SECRET the tenant and the client id."
        found.append(Error(text, id="ircase.E013"))
    if azure["lock_mode"] not in ("", "Unlocked", "Locked") or (azure["lock_mode"] and azure["lock_days"] < 1):
        text = "IRCASE_AZURE_LOCK_MODE is Unlocked or Locked, with IRCASE_AZURE_LOCK_DAYS of 1 or more."
        found.append(Error(text, id="ircase.E014"))
    return found


@register(Tags.security, deploy=True)
def store_answers(**_: Any) -> list[CheckMessage]:
    """The store is there, and evidence travels to it under cover."""
    found: list[CheckMessage] = []
    if settings.STORE == "s3" and settings.S3["endpoint"].startswith("http://"):
        text = "IRCASE_S3_ENDPOINT is http: evidence and its key would travel in the clear."
        found.append(Warning(text, id="ircase.W003"))
    if settings.STORE == "azure" and settings.AZURE["endpoint"].startswith("http://"):
        text = "IRCASE_AZURE_ENDPOINT is http: evidence would travel in the clear."
        found.append(Warning(text, id="ircase.W005"))
    if not settings.REHASH_DAYS:
        found.append(
            Warning("IRCASE_REHASH_DAYS is 0: nobody looks whether evidence is still whole.", id="ircase.W004")
        )
    try:
        store.current().backend.check()
    except store.StoreError as error:
        found.append(Error(f"The evidence store cannot be used: {error}", id="ircase.E009"))
    return found


@register(Tags.security, deploy=True)
def passkeys_can_be_used(**_: Any) -> list[CheckMessage]:
    """Who empties IRCASE_PASSKEY_RP_ID wants none; anything else that does not fit is a mistake."""
    text = passkeys.problem() if settings.PASSKEY_RP_ID else ""
    return [Warning(f"Nobody can use a passkey: {text}", id="ircase.W006")] if text else []


@register(Tags.security, deploy=True)
def stamps_can_be_verified(**_: Any) -> list[CheckMessage]:
    """Where statements are stamped, somebody is named who is trusted to stamp them."""
    if not settings.TSA_URL:
        return []
    found: list[CheckMessage] = []
    try:
        stamps.authorities_of(settings.TSA_CA_FILE)
        stamps.question(b"", policy=settings.TSA_POLICY, now=timezone.now())
    except stamps.BadAuthorities as error:
        found.append(Error(f"No time stamp could be verified: {error}", id="ircase.E015"))
    if problem := outgoing.problem_of(settings.TSA_URL, plain=lambda host: True):
        found.append(Error(f"IRCASE_TSA_URL cannot be asked: {problem}", id="ircase.E016"))
    return found


@register(Tags.security, deploy=True)
def deployment_is_safe(**_: Any) -> list[CheckMessage]:
    """`manage.py check --deploy`: what is fine on a laptop and not in production."""
    found: list[CheckMessage] = []
    if settings.INSECURE_HTTP:
        found.append(Error("IRCASE_INSECURE_HTTP is on: sessions would travel in the clear.", id="ircase.E003"))
    if str(settings.DATABASES["default"]["ENGINE"]).endswith("sqlite3"):
        found.append(Warning("SQLite serves one machine; set DATABASE_URL to PostgreSQL for more.", id="ircase.W001"))
    if settings.DATA_DIR.is_relative_to(settings.BASE_DIR):
        found.append(
            Warning("Evidence lies inside the program's folder; set IRCASE_DATA_DIR elsewhere.", id="ircase.W002")
        )
    return found
