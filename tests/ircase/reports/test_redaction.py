"""The mask: no name survives in any place of any output, and each has one word in every document of a case."""

import base64
import dataclasses
import hashlib
import json
import re
import string

import pytest
from django.urls import reverse
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ircase.models import Alias, Asset, CaseRole, CaseShare, LogEntry, ReportBuild, Tlp, User
from ircase.redaction import Level, Mask, Name, Redaction, RedactionError
from ircase.services import cases
from ircase.services.analysis import findings
from ircase.services.casework import improvements
from ircase.services.phases import checklist
from ircase.services.writing import redacting
from tests.cast import CastTestCase, make_user

LETTERS = string.ascii_letters + string.digits + "äßéÅжش"
word = st.text(LETTERS, min_size=3, max_size=12).filter(lambda text: not text.isdigit() and text.isalnum())
# How a name stands in what machines write.
PLACES = (
    "{}",
    "{}.corp.contoso.com",
    "C:\\Users\\{}\\AppData\\x.exe",
    "CONTOSO\\{}",
    "{}@contoso.com",
    "powershell -enc x -u={} ",
    '"{}"',
    "user:{},host",
    "https://x/{}/y?u={}",
    "Users%5C{}%5Cx",
    "line\\n{}",
    "({})",
    "{}_contoso_com",
    "\\\\{}\\C$",
    "{}$",
    "e-mail:{};",
    "{}…",
)
SEPARATORS = ("\\", ".", "@", "/", " ", "-", "_", ":", '"', "'", "%", ",", ";", "=", "|", "\n", "$", "(", ")")


def cased(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([name, name.upper(), name.lower(), name.title(), name.casefold()])


def bare(names: list[str], aliases: list[str]) -> list[str]:
    """Names that no alias holds as a word of its own: those cannot be told from it."""
    taken = {part for alias in aliases for part in alias.split("-")}
    return [name for name in names if name.lower() not in taken]


def words_of(text: str) -> set[str]:
    return set("".join(c if c.isalnum() else " " for c in text.lower()).split())


@settings(max_examples=150, deadline=None)
@given(st.lists(word, min_size=1, max_size=6, unique_by=str.lower), st.data())
def test_no_name_survives_where_machines_write_names(names: list[str], data: st.DataObject) -> None:
    mask = Mask(names=tuple(Name(f"host-{place:02d}", (name,)) for place, name in enumerate(names, 1)))
    kept = bare(names, ["host-01", "host"])
    assume(kept)
    name = data.draw(st.sampled_from(kept))
    shown = data.draw(st.sampled_from(PLACES)).replace("{}", data.draw(cased(name)))
    assert name.lower() not in words_of(mask.text(shown))


@settings(max_examples=150, deadline=None)
@given(st.lists(word, min_size=1, max_size=6, unique_by=str.lower), st.data())
def test_no_name_survives_between_any_separators(names: list[str], data: st.DataObject) -> None:
    mask = Mask(names=tuple(Name(f"account-{place:02d}", (name,)) for place, name in enumerate(names, 1)))
    tokens = st.one_of(word, st.sampled_from(names))
    text = "".join(data.draw(st.lists(st.one_of(tokens, st.sampled_from(SEPARATORS)), max_size=20)))
    left = words_of(mask.text(text))
    assert {name.lower() for name in bare(names, ["account-01"])} & left == set()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text(LETTERS + " .-@", min_size=4, max_size=14), min_size=1, max_size=4, unique_by=str.lower), st.data()
)
def test_a_leads_own_words_survive_nowhere_not_even_inside_others(words: list[str], data: st.DataObject) -> None:
    try:
        redaction = Redaction(words=tuple(words))
    except RedactionError:
        assume(False)
    mask = Mask(words=tuple(Name(f"word-{place:02d}", (given,)) for place, given in enumerate(redaction.words, 1)))
    text = "".join(data.draw(st.lists(st.one_of(st.text(LETTERS, max_size=5), st.sampled_from(words)), max_size=12)))
    shown = mask.text(text)
    assert not any(given.lower() in piece for piece in re.split(r"word-\d+", shown.lower()) for given in words)


@pytest.mark.parametrize("given_word", ["0F..", "-x9-", "@é@"])
def test_an_own_word_that_is_hardly_more_than_marks_is_masked_as_it_was_typed(given_word: str) -> None:
    mask = Mask(words=(Name("word-01", Redaction(words=(given_word,)).words),))
    assert mask.text(f"a{given_word.upper()}b {given_word}") == "aword-01b word-01"


ENCODED = (
    "{}",
    "powershell -enc {}",
    "-e {} -w hidden",
    '"{}"',
    "x={}",
    "data:text/plain;base64,{}",
    "line\\n{}",
    "C:/{}",
)


def said(name: str, before: str, after: str, coding: str, *, url: bool, padded: bool) -> str:
    data = (before + name + after).encode(coding)
    text = (base64.urlsafe_b64encode if url else base64.b64encode)(data).decode()
    return text if padded else text.rstrip("=")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(word, min_size=1, max_size=4, unique_by=str.lower),
    st.sampled_from(["", " ", "@@", "-x ", "a: \\", "жш/"]), st.sampled_from(["", " ", ";", "\r\n", ") ж"]),
    st.sampled_from(["utf-8", "utf-16-le"]), st.booleans(), st.booleans(), st.sampled_from(ENCODED), st.data(),
)  # fmt: skip
def test_no_name_survives_in_base64(
    names: list[str], before: str, after: str, coding: str, url: bool, padded: bool, place: str, data: st.DataObject
) -> None:
    mask = Mask(names=tuple(Name(f"host-{number:02d}", (name,)) for number, name in enumerate(names, 1)))
    name = data.draw(cased(data.draw(st.sampled_from(names))))
    hidden = said(name, before, after, coding, url=url, padded=padded)
    shown = mask.text(place.replace("{}", hidden))
    assert hidden not in shown and "base64-host-" in shown


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=5), st.binary(max_size=5), st.sampled_from(["utf-8", "utf-16-le"]))
def test_a_word_of_ones_own_survives_in_no_alignment(before: bytes, after: bytes, coding: str) -> None:
    """Whole, and without all of the letters that say nothing of the word."""
    mask = Mask(words=(Name("word-01", ("Contoso",)),))
    hidden = base64.b64encode(before + "CONTOSO".encode(coding) + after).decode()
    for cut in range(len(before) * 8 // 6 + 1):
        assert mask.text(f"see {hidden[cut:]} there") == "see base64-word-01 there"


def test_base64_by_hand() -> None:
    mask = Mask(names=(Name("host-01", ("ws-07",)), Name("account-01", ("anna.berg",))), addresses=True)
    command = base64.b64encode("Invoke-Command ws-07 {whoami}".encode("utf-16-le")).decode()
    assert mask.text(f"powershell.exe -NoP -enc {command} -x") == "powershell.exe -NoP -enc base64-host-01 -x"
    inner = base64.b64encode(b"net user Anna.Berg /domain").decode()
    twice = base64.b64encode(f"[Convert]::FromBase64String('{inner}')".encode("utf-16-le")).decode()
    assert mask.text(f"-enc {twice}") == "-enc base64-account-01"
    assert mask.text(base64.b64encode(b"connect 10.1.2.3:443").decode()) == "base64-10.x-address-01"
    lines = base64.encodebytes(b"x" * 54 + b" ws-07 " + b"y" * 90).decode()
    assert mask.text(f"MIME:\n{lines}\nend") == "MIME:\nbase64-host-01\n\nend"


def test_what_says_no_name_stays() -> None:
    mask = Mask(names=(Name("host-01", ("ws-07",)), Name("person-01", ("bob",))), addresses=True)
    harmless = base64.b64encode("Get-Process | Out-Null".encode("utf-16-le")).decode()
    digests = "\n".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(256))
    for text in (
        f"-enc {harmless}",
        digests,
        "An ordinary sentence/with-words_and+signs, of 12 words or so.",
        "====",
        "A",
    ):
        assert mask.text(text) == text


values = st.recursive(
    st.one_of(st.text(max_size=20), st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10), inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(values, st.sampled_from(PLACES))
def test_nested_values_keep_their_shape_and_lose_their_names(value: object, place: str) -> None:
    name = "annaberg"
    mask = Mask(names=(Name("account-01", (name,)),))
    holder = {"outside": value, place.replace("{}", name): [place.replace("{}", name.upper()), {name: (name, 3)}]}
    masked = mask.of(holder)
    assert name not in words_of(json.dumps(masked, ensure_ascii=False))
    assert len(masked) == len(holder)
    assert "annaberg" in json.dumps(holder), "the original is not touched"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.ip_addresses(), st.sampled_from(("{}", "src={} dst", '{{"ip":"{}"}}', "[{}]", "{}\n", "({})", "{}/24")))
def test_private_addresses_go_and_public_ones_stay(address: object, place: str) -> None:
    mask = Mask(addresses=True, number_of=lambda _: 7)
    text = place.replace("{{", "{").replace("}}", "}").replace("{}", str(address))
    shown = mask.text(text)
    private = "-address-07" in shown
    assert private != (str(address) in shown)


def test_addresses_by_hand() -> None:
    numbers: dict[str, int] = {}
    mask = Mask(addresses=True, number_of=lambda address: numbers.setdefault(address, len(numbers) + 1))
    text = (
        "10.1.2.3 to 192.168.0.9, 172.31.0.1 and 10[.]1[.]2[.]3; 8.8.8.8, 172.32.0.1, 1.10.1.2.3.4, fe80::1 v10.0.0.1"
    )
    assert mask.text(text) == (
        "10.x-address-01 to 192.168.x-address-02, 172.16.x-address-03 and 10.x-address-01; "
        "8.8.8.8, 172.32.0.1, 1.10.1.2.3.4, fe80.x-address-05 v10.x-address-04"
    )


def test_the_longest_name_wins_and_others_of_a_longer_word_stay() -> None:
    mask = Mask(names=(Name("host-01", ("ws01.corp.contoso.com", "ws01")), Name("host-02", ("ws01-old",))))
    assert mask.text("WS01.corp.contoso.com, ws01, WS01-OLD, ws012, aws01") == "host-01, host-01, host-02, ws012, aws01"


def test_a_dataclass_keeps_its_codes() -> None:
    @dataclasses.dataclass(frozen=True)
    class Row:
        state: str
        title: str
        names: tuple[str, ...]

    mask = Mask(names=(Name("host-01", ("done",)),))
    assert mask.of(Row("done", "done", ("done",)), keep=frozenset({"state"})) == Row("done", "host-01", ("host-01",))


def test_a_redaction_says_what_it_does() -> None:
    shared = Redaction.of(Level.ALL, tlp="green", words=[" Contoso ", "Contoso", ""])
    assert (shared.level, shared.words, shared.masks) == (Level.ALL, ("Contoso",), True)
    assert [tlp for tlp in Tlp.values if shared.allows(tlp)] == ["green", "clear"]
    assert (shared.marking("red"), shared.marking("clear")) == ("green", "clear")
    assert shared.sentence == (
        "Masked in this document: people, accounts, hosts, private addresses, some words. "
        "Left out: what is marked stricter than TLP:GREEN."
    )
    assert Redaction.from_json(json.loads(json.dumps(shared.as_json()))) == shared
    assert Redaction.from_json({}).is_open
    assert not Redaction().allows("purple")
    assert Redaction(people=True).level == Level.OWN


@pytest.mark.parametrize("wrong", ["ab", "x" * 201, "host", "ost-0", "123", "Account", "base64"])
def test_words_that_cannot_be_masked_are_refused(wrong: str) -> None:
    with pytest.raises(RedactionError):
        Redaction(words=(wrong,))


class CaseMaskTests(CastTestCase):
    def asset(self, kind: str, name: str, **more: object) -> Asset:
        return Asset.objects.create(case=self.case, kind=kind, name=name, added_by=self.alice, **more)

    def mask(self, **more: object) -> Mask:
        return redacting.mask_of(self.case, Redaction.of(Level.ALL, **more))  # type: ignore[arg-type]

    def test_what_the_case_knows_is_masked_as_texts_write_it(self) -> None:
        self.asset("device", "ws-07.corp.contoso.com", identifier="9" * 40)
        self.asset(
            "account", "Anna.Berg@contoso.com", identifier="S-1-5-21-1-2-3-1104", details={"displayName": "Anna Berg"}
        )
        mask = self.mask(words=["contoso"])
        assert mask.text("WS-07 and ws-07.corp.contoso.com") == "host-01 and host-01"
        assert mask.text(r"C:\Users\anna.berg\x") == r"C:\Users\account-01\x"
        assert mask.text("anna_berg_contoso_com") == "account-01"
        assert mask.text("Anna Berg, S-1-5-21-1-2-3-1104, " + "9" * 40) == "account-01, account-01, host-01"
        assert mask.text("shop.contoso.com") == "shop.word-01.com"

    def test_people_of_the_case_are_masked_and_strangers_are_not(self) -> None:
        text = self.mask().text("Alice asked Bob; Mallory knew.")
        assert text == "person-01 asked person-02; Mallory knew."

    def test_whoever_was_given_something_or_taken_off_the_case_is_masked(self) -> None:
        gone, owner, keeper = (make_user(name, User.SiteRole.ANALYST) for name in ("gregor", "helene", "kirsten"))
        cases.set_member(case=self.case, actor=self.alice, user=gone, role=CaseRole.ANALYST)
        cases.remove_member(case=self.case, actor=self.alice, user=gone)
        improvements.add(case=self.case, actor=self.alice, title="Patch sooner", owner=owner)
        item = self.case.checklist.filter(state="open").first()
        checklist.plan_item(item=item, actor=self.alice, owner=keeper, due_at=None)
        checklist.plan_item(item=item, actor=self.alice, owner=self.bob, due_at=None)
        text = self.mask().text("gregor, Helene, KIRSTEN")
        assert not {"gregor", "helene", "kirsten"} & words_of(text), text

    def test_what_an_indicator_that_stays_inside_says_is_masked_wherever_it_stands(self) -> None:
        given = {"case": self.case, "actor": self.alice}
        long = "http://evil.example/" + "a" * 300
        findings.add_indicator(kind="ip", value="198.51.100.77", tlp="red", **given)
        findings.add_indicator(kind="url", value=long, tlp="amber+strict", **given)
        findings.add_indicator(kind="ip", value="203.0.113.5", tlp="green", **given)
        mask = redacting.mask_of(self.case, Redaction(tlp="amber"))
        assert mask.text("198.51.100.77, 198.51.100[.]77; 203.0.113.5") == "[TLP:RED], [TLP:RED]; 203.0.113.5"
        strict = "[TLP:AMBER+STRICT]"
        assert mask.text(f"{long} hxxp{long[4:]} {long[:200]}") == f"{strict} {strict} {strict}"
        assert redacting.mask_of(self.case, Redaction()).is_empty

    def test_the_same_word_in_every_document_whoever_comes_later(self) -> None:
        self.asset("device", "srv-b")
        first = self.mask().text("srv-b 10.0.0.9")
        self.asset("device", "srv-a")
        self.asset("device", "srv-b.corp.local")
        again = self.mask()
        assert (first, again.text("srv-b 10.0.0.9")) == ("host-01 10.x-address-01", "host-01 10.x-address-01")
        assert again.text("srv-a, srv-b.corp.local, 10.0.0.8") == "host-02, host-01, 10.x-address-02"

    def test_two_accounts_of_one_short_name_are_two_but_a_bare_one_joins(self) -> None:
        self.asset("account", "CONTOSO\\adm-kai")
        self.asset("account", "adm-kai@contoso.com")
        self.asset("account", "adm-kai@evil.example")
        mask = self.mask()
        assert (
            mask.text("CONTOSO\\adm-kai adm-kai@contoso.com adm-kai@evil.example") == "account-01 account-01 account-02"
        )

    def test_a_host_that_is_called_like_a_mask(self) -> None:
        self.asset("device", "host-01")
        assert self.mask().text("host-01") == "host-02"

    def test_names_that_every_machine_has_stay(self) -> None:
        self.asset("account", "Administrator@contoso.com")
        assert self.mask().text("Administrator, administrator@contoso.com") == "Administrator, account-01"

    def test_what_masks_nothing_writes_nothing(self) -> None:
        self.asset("device", "srv-b")
        assert redacting.mask_of(self.case, Redaction(tlp="green")).text("srv-b") == "srv-b"
        assert not Alias.objects.exists()

    def test_the_key_names_everybody_and_is_logged(self) -> None:
        self.asset("device", "ws-07.corp.contoso.com")
        self.mask()
        keys = {key.alias: key.names for key in redacting.key_table(case=self.case, actor=self.alice)}
        assert keys == {"host-01": ("ws-07",), "person-01": ("Alice",), "person-02": ("Bob",)}
        assert LogEntry.objects.filter(case=self.case, action="redaction.key_read").count() == 1

    def test_domains_are_suggested_as_words(self) -> None:
        self.asset("device", "ws-07.corp.contoso.com")
        self.asset("account", "anna@contoso.com")
        assert redacting.suggested_words(self.case) == ["corp.contoso.com", "contoso.com"]
        self.asset("device", "ws-08.ho.st")
        assert "ho.st" not in redacting.suggested_words(self.case), "it could not be masked"

    def test_a_click_takes_a_suggestion_over_and_nothing_is_made(self) -> None:
        self.asset("device", "ws-07.corp.contoso.com")
        self.asset("account", "anna@contoso.com")
        self.sign_in(self.alice)
        shares = reverse("ircase:shares", args=[self.case.reference])
        self.assertContains(self.client.get(shares), 'name="take" value="contoso.com"')
        body = {"format": "misp", "tlp": "green", "pap": "red", "level": "all", "words": "Contoso", "parts": ["events"],
                "sender": "CSIRT", "take": "contoso.com"}  # fmt: skip
        page = self.client.post(shares, body)
        form = page.context["form"]
        assert form["words"].value() == "Contoso, contoso.com" and not form.errors
        assert (form["format"].value(), form["level"].value(), form["parts"].value()) == ("misp", "all", ["events"])
        assert page.context["suggested"] == ["corp.contoso.com"]
        report = reverse("ircase:report", args=[self.case.reference])
        page = self.client.post(report, {"kind": "executive", "level": "names", "words": "", "take": "contoso.com"})
        form = page.context["form"]
        assert (form["kind"].value(), form["words"].value(), form["level"].value()) == (
            "executive", "contoso.com", "names",
        )  # fmt: skip
        page = self.client.post(report, {"words": "contoso.com\r\nAcme", "take": "corp.contoso.com"})
        assert Redaction.of("full", words=page.context["form"]["words"].value().splitlines()).words == (
            "contoso.com", "Acme", "corp.contoso.com",
        )  # fmt: skip
        assert page.context["suggested"] == []
        assert not ReportBuild.objects.exists() and not CaseShare.objects.exists()
        self.sign_in(self.bob)
        self.assertNotContains(self.client.get(report), 'name="take"', msg_prefix="words are a lead's to give")
