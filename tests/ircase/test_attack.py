"""Names of ATT&CK techniques."""

from ircase import attack


def test_by_number_in_any_case_or_with_its_name_behind() -> None:
    for text in ("T1547.001", "t1547.001", " T1547.001 Registry Run Keys"):
        found = attack.find(text)
        assert found is not None
        assert found.id == "T1547.001"
        assert found.name == "Boot or Logon Autostart Execution: Registry Run Keys / Startup Folder"
        assert found.tactics == ("Persistence", "Privilege escalation")
        assert found.url == "https://attack.mitre.org/techniques/T1547/001/"


def test_by_name() -> None:
    found = attack.find("powershell")
    assert found is not None
    assert found.id == "T1059.001"


def test_what_is_none() -> None:
    for text in ("", "  ", "T9999", "no such thing", "T15", "\x00"):
        assert attack.find(text) is None


def test_by_tactic_and_enterprise_only() -> None:
    assert "T1003.001" in {t.id for t in attack.of_tactic("credential access")}
    assert len({name for t in attack.techniques().values() for name in t.tactics}) == 14
