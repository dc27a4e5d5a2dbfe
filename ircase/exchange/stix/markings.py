"""TLP 2.0 and PAP as the marking definitions that OASIS publishes: known by id, never made anew.

https://github.com/oasis-open/cti-stix-common-objects/tree/main/extension-definition-specifications
"""

from typing import Any, Final

from ircase.models import Pap, Tlp

TLP_EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
PAP_EXTENSION: Final = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b"
TLP_IDS: Final = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
PAP_IDS: Final = {
    Pap.CLEAR: "marking-definition--ad15a0cd-55b6-4588-a14c-a66105329b92",
    Pap.GREEN: "marking-definition--c43594d1-4b11-4c59-93ab-1c9b14d53ce9",
    Pap.AMBER: "marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab",
    Pap.RED: "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e",
}
TLP1_IDS: Final = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
}
"""Of TLP 1.0, as STIX 2.1 predefines them (section 7.2.1.4): read, never written."""
_CREATED: Final = "2022-10-01T00:00:00.000Z"


def refs(tlp: str, pap: str = "") -> list[str]:
    """What `object_marking_refs` holds."""
    return [TLP_IDS[Tlp(tlp)], *([PAP_IDS[Pap(pap)]] if pap else [])]


def definition(identifier: str) -> dict[str, Any]:
    """The published object of one of our ids."""
    for tlp, known in TLP_IDS.items():
        if known == identifier:
            return _published(known, f"TLP:{tlp.upper()}", TLP_EXTENSION, {"tlp_2_0": str(tlp)})
    pap = next(pap for pap, known in PAP_IDS.items() if known == identifier)
    return _published(identifier, f"PAP:{pap.upper()}", PAP_EXTENSION, {"pap": str(pap)})


def _published(identifier: str, name: str, extension: str, said: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": identifier,
        "created": _CREATED,
        "name": name,
        "extensions": {extension: {"extension_type": "property-extension", **said}},
    }
