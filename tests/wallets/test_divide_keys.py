"""manage.py divide_keys: the key file of earlier releases becomes one for each signer; no key is lost or shown."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

LTC, ETH = {"account_private": "xprv-litecoin"}, {"account_private": "xprv-ethereum"}
BOTH = json.dumps({"litecoin": LTC, "ethereum": ETH})


def test_each_network_gets_its_own_part_and_the_earlier_file_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keys.json").write_text(BOTH)

    call_command("divide_keys", str(tmp_path))

    assert json.loads((tmp_path / "litecoin.json").read_text()) == {"litecoin": LTC}
    assert json.loads((tmp_path / "ethereum.json").read_text()) == {"ethereum": ETH}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*m.json")} == {0o600}
    assert (tmp_path / "keys.json").read_text() == BOTH
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ethereum.json", "keys.json", "litecoin.json"]
    assert "xprv" not in capsys.readouterr().out


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"litecoin": LTC}))
    (tmp_path / "ethereum.json").write_text("newer")

    call_command("divide_keys", str(tmp_path))
    call_command("divide_keys", str(tmp_path))

    assert (tmp_path / "ethereum.json").read_text() == "newer"
    assert json.loads((tmp_path / "litecoin.json").read_text()) == {"litecoin": LTC}


def test_without_an_earlier_file_nothing_is_made(tmp_path: Path) -> None:
    call_command("divide_keys", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "xprv-secret", "[]", json.dumps({"ethereum": ETH})])
def test_an_earlier_file_without_the_part_is_named_and_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)

    with pytest.raises(CommandError, match="holds no part for litecoin") as refusal:
        call_command("divide_keys", str(tmp_path))

    assert "xprv" not in str(refusal.value)
    assert not (tmp_path / "litecoin.json").exists()
