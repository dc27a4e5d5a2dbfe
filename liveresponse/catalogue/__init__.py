"""Collections: what a Live Response job does on a device, as data. Shipped ones are YAML beside the code."""

from liveresponse.catalogue.definitions import DefinitionError, definition_from, definitions
from liveresponse.catalogue.finding import last_path
from liveresponse.catalogue.model import APPROVAL_WORDS, PLATFORMS, Definition, Sent, Step, platform_of
from liveresponse.catalogue.parameters import TYPE_LABELS, Parameter, ParameterError
from liveresponse.catalogue.yamltext import parse_yaml, to_yaml

__all__ = [
    "APPROVAL_WORDS",
    "PLATFORMS",
    "TYPE_LABELS",
    "Definition",
    "DefinitionError",
    "Parameter",
    "ParameterError",
    "Sent",
    "Step",
    "definition_from",
    "definitions",
    "last_path",
    "parse_yaml",
    "platform_of",
    "to_yaml",
]
