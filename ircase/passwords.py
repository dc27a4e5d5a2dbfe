"""How long a password must be: what the rules of access say, and never less than twelve characters."""

from typing import Any

from django.core.exceptions import ValidationError

from ircase.models.signin import policy


class LengthValidator:
    """Django's length validator with the length read when it is needed."""

    def validate(self, password: str, user: Any = None) -> None:
        least = policy().password_length
        if len(password) < least:
            raise ValidationError(f"This password is too short: {least} characters at least.", code="too_short")

    def get_help_text(self) -> str:
        return f"At least {policy().password_length} characters."
