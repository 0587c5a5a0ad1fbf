"""wallets.restored and the journal: an old backup pays nothing twice and hands out no address twice."""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import transaction
from embit.bip32 import HDKey

from tests.addresses import take_address
from wallets import journal
from wallets.freeze import ALL, frozen_scopes, unfreeze
from wallets.models import Address, ChainState
from wallets.restored import note_restored

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LINE = '{"at": "2026-11-23T11:00:00+00:00", "chain": "litecoin", "txid": "%s", "payout": "order:O1:settle", "n": 1}\n'

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def keys(settings: LazySettings, tmp_path: Path) -> None:
    key = HDKey.from_seed(secrets.token_bytes(32)).derive("m/84h/1h/0h").to_public().to_base58()
    settings.ACCOUNT_KEYS = {"litecoin": key}
    settings.PAYOUT_JOURNAL = str(tmp_path / "payouts.journal")


def take(owner: str) -> Address:
    with transaction.atomic():
        return take_address(chain="litecoin", owner_ref=owner, at=NOW)


def test_addresses_lost_with_the_rows_are_not_handed_out_again() -> None:
    lost = {take(f"O{number}").address for number in range(3)}
    Address.objects.all().delete()
    ChainState.objects.update(next_index=0)  # what an older backup knows

    note_restored(reason="restored", at=NOW, by="operator")

    fresh = {take(f"P{number}").address for number in range(3)}
    assert not lost & fresh
    assert ALL in frozen_scopes()


def test_noting_it_twice_changes_nothing() -> None:
    take("O1")
    assert note_restored(reason="restored", at=NOW, by="operator")
    assert not note_restored(reason="restored", at=NOW, by="operator")
    assert ChainState.objects.get().account == 1


def test_a_journal_that_knows_more_freezes_until_it_is_answered_for(settings: LazySettings) -> None:
    Path(settings.PAYOUT_JOURNAL).write_text(LINE % ("ab" * 32), encoding="utf-8")
    take("O1")

    assert not journal.check_latest(at=NOW)
    assert not journal.check_all(at=NOW)
    assert ChainState.objects.get().account == 1
    assert ALL in frozen_scopes()

    unfreeze(scope=ALL, because="in a hurry", at=NOW, by="operator")
    assert not journal.check_latest(at=NOW + timedelta(seconds=1))  # nobody has explained the payment: frozen again

    call_command("freeze", ALL, lift=True, because="reconciliation of 11:30")
    assert journal.check_latest(at=NOW + timedelta(seconds=2))
    assert journal.list_explained_debts() == {"order:O1:settle"}
    assert ALL not in frozen_scopes()


def test_a_torn_last_line_is_passed_over(settings: LazySettings) -> None:
    Path(settings.PAYOUT_JOURNAL).write_text('{"at": "2026-11-23T11:00:00+00:00", "chain": "lite', encoding="utf-8")

    assert journal.check_latest(at=NOW)


def test_the_new_branch_lies_beyond_the_one_the_replaced_database_had_reached() -> None:
    take("O1")

    assert note_restored(reason="restored: one", at=NOW, by="operator", beyond=4)
    assert not note_restored(reason="restored: one", at=NOW, by="operator", beyond=9)

    assert ChainState.objects.get(code="litecoin").account == 5
