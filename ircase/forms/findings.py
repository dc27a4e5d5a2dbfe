"""Assets, indicators and the timeline."""

import ipaddress
import re

from django import forms
from django.core.exceptions import ValidationError

from ircase import attack
from ircase.forms.fields import LongTextField, MomentField, ScopedForm, with_blank
from ircase.models import Asset, Event, Indicator, Tlp
from ircase.services.findings import normalise

MOST_INDICATORS = 500


class AssetForm(ScopedForm):
    kind = forms.ChoiceField(choices=Asset.Kind.choices)
    name = forms.CharField(max_length=255, help_text="A device's DNS name, an account's user principal name.")
    identifier = forms.CharField(max_length=255, required=False, help_text="Defender's DeviceId, an object id, a SID.")
    compromise = forms.ChoiceField(choices=Asset.Compromise.choices, initial=Asset.Compromise.UNKNOWN)
    description = LongTextField(required=False, rows=2)


class JudgeAssetForm(ScopedForm):
    compromise = forms.ChoiceField(choices=Asset.Compromise.choices)
    description = LongTextField(required=False, rows=3)


class JudgeIndicatorForm(ScopedForm):
    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices)
    description = LongTextField(required=False, rows=3)


class IndicatorsForm(ScopedForm):
    """Any number at once, one a line; what each is, is recognised unless said. Defanged text is accepted."""

    values = LongTextField(
        rows=5,
        max_length=200_000,
        label="Indicators",
        help_text="One a line: hashes, addresses, domains, URLs, e-mail addresses, paths. hxxp and [.] are understood.",
    )
    kind = forms.ChoiceField(choices=with_blank(Indicator.Kind.choices, "Recognise it"), required=False)
    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices, initial=Indicator.Verdict.UNKNOWN)
    tlp = forms.ChoiceField(choices=Tlp.choices, initial=Tlp.AMBER, label="TLP")
    description = forms.CharField(max_length=1000, required=False, help_text="Where they come from.")

    def clean_values(self) -> list[str]:
        lines = list(dict.fromkeys(line.strip() for line in self.cleaned_data["values"].splitlines() if line.strip()))
        if len(lines) > MOST_INDICATORS:
            raise ValidationError(f"{len(lines)} are too many at once; {MOST_INDICATORS} fit.")
        too_long = next((line for line in lines if len(line) > 2048), None)
        if too_long:
            raise ValidationError(f"“{too_long[:60]}…” is longer than 2,048 characters.")
        return lines


class EventForm(ScopedForm):
    """Something that happened. The technique may be typed by number or by name."""

    at = MomentField(label="Time")
    title = forms.CharField(max_length=300, label="What happened")
    lane = forms.ChoiceField(choices=Event.Lane.choices, initial=Event.Lane.ATTACKER, label="Who did it")
    technique = forms.CharField(
        max_length=200,
        required=False,
        label="ATT&CK technique",
        help_text="As in T1547.001, or its name.",
        widget=forms.TextInput(attrs={"list": "techniques", "autocomplete": "off"}),
    )
    description = LongTextField(required=False, rows=3)
    source = forms.CharField(max_length=64, required=False, help_text="The table, log or person it was learnt from.")

    def clean_technique(self) -> str:
        text = self.cleaned_data["technique"]
        if not text.strip():
            return ""
        found = attack.find(text)
        if found is None:
            raise ValidationError("ATT&CK for Enterprise has no such technique. Write T1547, T1547.001 or its name.")
        return found.id


class EditEventForm(EventForm):
    """The same without the source, which stays as it was; and whether the report shows the event."""

    source = None  # type: ignore[assignment]
    in_report = forms.BooleanField(required=False, initial=True, label="Show it in the report")


_SHAPES = (
    (re.compile(r"[0-9a-fA-F]{64}"), Indicator.Kind.SHA256),
    (re.compile(r"[0-9a-fA-F]{40}"), Indicator.Kind.SHA1),
    (re.compile(r"[0-9a-fA-F]{32}"), Indicator.Kind.MD5),
    (re.compile(r"(?i)(https?|hxxps?|ftp)(\[:\]|:)//.+"), Indicator.Kind.URL),
    (re.compile(r"(?i)(HKEY_[A-Z_]+|HKLM|HKCU|HKU|HKCR)[\\:].*"), Indicator.Kind.REGISTRY),
    (re.compile(r"(?i)([a-z]:\\|\\\\|%[a-z0-9_()]+%\\|/(?!/)).+"), Indicator.Kind.FILE_PATH),
)
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}\.[^@\s.]{2,63}")
_DOMAIN = re.compile(r"(?i)([a-z0-9_](-*[a-z0-9_])*\.)+([a-z]{2,63}|xn--[a-z0-9-]{1,59})")
_FILE = re.compile(r"[^\\/:*?\"<>|]{1,240}\.[A-Za-z0-9]{1,10}")
# Endings that are both a file's and, rarely, a top-level domain's: in an incident they are nearly always files.
_FILE_ENDINGS = frozenset(
    {
        *("exe", "dll", "sys", "ps1", "psm1", "bat", "cmd", "vbs", "vbe", "js", "jse", "wsf", "hta", "lnk"),
        *("zip", "rar", "7z", "iso", "img", "msi", "scr", "docx", "docm", "xlsx", "xlsm", "pptx", "pdf", "txt"),
        *("log", "csv", "xml", "json", "evtx", "dat", "bin", "tmp", "dmp", "py", "jar"),
    }
)


def recognise(text: str) -> str:
    """The kind of indicator that `text` is, by its shape alone; OTHER where nothing fits."""
    text = text.strip()
    for pattern, kind in _SHAPES:
        if pattern.fullmatch(text):
            return kind
    plain = normalise(Indicator.Kind.URL, text)
    if _is_address(plain):
        return Indicator.Kind.IP
    if _EMAIL.fullmatch(plain):
        return Indicator.Kind.EMAIL
    ending = plain.rsplit(".", 1)[-1].lower()
    if ending not in _FILE_ENDINGS and len(plain) <= 253 and _DOMAIN.fullmatch(plain):
        return Indicator.Kind.DOMAIN
    return Indicator.Kind.FILE_NAME if _FILE.fullmatch(text) else Indicator.Kind.OTHER


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
