"""A case in the Vocabulary for Event Recording and Incident Sharing, as JSON: https://verisframework.org/"""

from ircase.exchange.veris.incident import SCHEMA, make

__all__ = ["SCHEMA", "make"]
