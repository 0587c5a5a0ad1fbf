import json
import stat

import pytest
from django.core.management import CommandError, call_command
from embit.bip32 import HDKey

from core.networks import CHAINS


def test_keys_are_made_once_each_in_a_file_of_its_own_for_the_owner_alone(tmp_path, capsys) -> None:
    call_command("make_demo_keys", str(tmp_path / "keys"))
    public = tmp_path / "keys" / "public.env"
    first = {chain: (tmp_path / "keys" / f"{chain}.json").read_bytes() for chain in CHAINS}

    call_command("make_demo_keys", str(tmp_path / "keys"))

    assert sorted(path.name for path in public.parent.iterdir()) == ["ethereum.json", "litecoin.json", "public.env"]
    for chain, content in first.items():
        private = tmp_path / "keys" / f"{chain}.json"
        assert private.read_bytes() == content
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
        fact = json.loads(content)
        assert set(fact) == {chain}
        expected = HDKey.from_string(fact[chain]["account_private"]).to_public().to_base58()
        assert f"{chain.upper()}_ACCOUNT_KEY={expected}\n" in public.read_text()
        assert fact[chain]["account_private"] not in public.read_text() + capsys.readouterr().out
    assert json.loads(first["litecoin"])["litecoin"]["account_private"].startswith("tprv")


def test_a_file_of_all_networks_keys_hands_its_parts_over(tmp_path) -> None:
    call_command("make_demo_keys", str(tmp_path))
    both = {chain: json.loads((tmp_path / f"{chain}.json").read_text())[chain] for chain in CHAINS}
    before = (tmp_path / "public.env").read_text()
    for path in tmp_path.iterdir():
        path.unlink()
    (tmp_path / "keys.json").write_text(json.dumps(both))

    call_command("make_demo_keys", str(tmp_path))

    assert (tmp_path / "public.env").read_text() == before
    assert json.loads((tmp_path / "ethereum.json").read_text()) == {"ethereum": both["ethereum"]}


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
