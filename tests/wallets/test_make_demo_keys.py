import json
import stat

import pytest
from django.core.management import CommandError, call_command
from embit.bip32 import HDKey


def test_keys_are_made_once_and_for_the_owner_alone(tmp_path, capsys) -> None:
    call_command("make_demo_keys", str(tmp_path / "keys"))
    private, public = tmp_path / "keys" / "keys.json", tmp_path / "keys" / "public.env"
    first = private.read_bytes()

    call_command("make_demo_keys", str(tmp_path / "keys"))

    assert private.read_bytes() == first
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert sorted(path.name for path in private.parent.iterdir()) == ["keys.json", "public.env"]
    facts = json.loads(first)
    for chain, fact in facts.items():
        expected = HDKey.from_string(fact["account_private"]).to_public().to_base58()
        assert f"{chain.upper()}_ACCOUNT_KEY={expected}\n" in public.read_text()
        assert fact["account_private"] not in public.read_text() + capsys.readouterr().out
    assert facts["litecoin"]["account_private"].startswith("tprv")


def test_lost_public_keys_are_derived_again(tmp_path) -> None:
    call_command("make_demo_keys", str(tmp_path))
    before = (tmp_path / "public.env").read_text()
    (tmp_path / "public.env").unlink()

    call_command("make_demo_keys", str(tmp_path))

    assert (tmp_path / "public.env").read_text() == before


def test_live_refuses(tmp_path, settings) -> None:
    settings.SITE_MODE = "live"

    with pytest.raises(CommandError, match="live"):
        call_command("make_demo_keys", str(tmp_path))

    assert list(tmp_path.iterdir()) == []
