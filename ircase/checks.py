"""What must hold before the system starts: settings, and the library files."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from ircase import catalogue
from ircase.secrets import decrypt, encrypt


@register(Tags.compatibility)
def playbooks_are_sound(**_: Any) -> list[CheckMessage]:
    try:
        catalogue.playbooks()
    except catalogue.CatalogueError as error:
        return [Error(f"A playbook cannot be used: {error}", id="ircase.E001")]
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
