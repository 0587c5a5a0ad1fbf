"""Role by role: coins that SQL alone asks for. Refused by rights or by triggers, whoever was stolen."""

from collections.abc import Callable

import psycopg2
import pytest
from django.conf import settings
from psycopg2 import extensions

from core import clock
from core.database_roles import list_kinds
from orders.models import Order
from tests.simulated import SimulatedExchange

THIEVES = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
KINDS = list_kinds(settings.CHAINS)
Thief = Callable[[str], extensions.connection]
PAYOUT = """
    INSERT INTO wallets_payout (purpose, chain, asset_id, owner_ref, address, amount_minor, fee_cap_minor, reserved_minor,
        funded_by, state, txid, requested_at, reorg_count, problem, news)
    VALUES ('order:' || %(order)s || ':settle', 'ethereum', 'ETH', %(order)s, %(address)s, 49000000000000000000, 1,
        49000000000000000001, %(funded)s, 'REQUESTED', '', now(), 0, '', false)
"""


@pytest.fixture
def order(committed_db: None, keys: None) -> Order:
    """An order that was opened and never paid, committed for other connections to see."""
    site = SimulatedExchange(clock.now())
    with clock.clock_reads(site.now):
        site.mine(1)
        for chain in settings.CHAINS:
            site.scan(chain)
        site.fund("litecoin", 25 * 10**8)
        site.fund("ethereum", 100 * 10**18)
        site.price()
        return site.open().order


PROMISES = [
    "UPDATE wallets_address SET address = 'thief' WHERE owner_ref = %(order)s",
    "UPDATE wallets_address SET owner_ref = 'thief' WHERE owner_ref = %(order)s",
    "UPDATE orders_order SET get_minor = get_minor * 1000 WHERE reference = %(order)s",
    "UPDATE orders_order SET fee_cap_minor = 10 ^ 18 WHERE reference = %(order)s",
    "UPDATE orders_order SET deposit_address = 'thief' WHERE reference = %(order)s",
    "UPDATE core_asset SET scale = 0 WHERE code = 'ETH'",
    "UPDATE ticker_pair SET spread_bps = -9000",
    "DELETE FROM orders_promise",
    "DELETE FROM wallets_freeze",
    "DELETE FROM orders_idempotencykey",
    "UPDATE ledger_balance SET amount_minor = 10 ^ 20",
]
SIGNED = [
    "INSERT INTO wallets_attempt (payout_id, n, chain, txid, raw) VALUES (1, 1, 'ethereum', 'x', '00')",
    "INSERT INTO wallets_coinhold (chain, txid, vout, payout_id) VALUES ('litecoin', 'x', 0, 1)",
    "INSERT INTO wallets_noncehold (chain, sender, nonce, payout_id) VALUES ('ethereum', 'x', 0, 1)",
]
DEPOSIT = """
    INSERT INTO wallets_deposit (chain, txid, position, asset_id, address_id, owner_ref, amount_minor, raw, state,
        first_seen_at, mature_height, reorg_count, disposition, reason, next_actor, news, block_hash)
    SELECT 'litecoin', repeat('ab', 32), '0', 'LTC', id, owner_ref, 1, '', 'SEEN', now(), 0, 0, '', '', '', false, ''
    FROM wallets_address WHERE owner_ref = %(order)s
"""
REDIRECT = "UPDATE orders_order SET payout_address = %(address)s WHERE reference = %(order)s"
LIFT = "UPDATE wallets_freeze SET lifted_at = now()"


def succeeds(raw: extensions.connection, statement: str, order: Order) -> bool:
    """Say whether a statement can be committed."""
    try:
        with raw, raw.cursor() as cursor:
            cursor.execute(statement, {"order": order.reference, "address": THIEVES, "funded": []})
    except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.RestrictViolation):
        return False
    return True


def test_no_role_gets_coins_by_sql(order: Order, thief: Thief) -> None:
    """One test, because each copy of a database costs a second."""
    got = []
    for kind in KINDS:
        raw = thief(kind)
        tried = [PAYOUT, *PROMISES]
        if not kind.startswith("signer"):
            tried += SIGNED
        if kind != "operator":
            tried.append(LIFT)
        got += [(kind, statement) for statement in tried if succeeds(raw, statement, order)]
    assert got == []

    # Until something was paid, the page may still change where an order pays; from then on a person alone.
    assert succeeds(thief("web"), REDIRECT, order)
    assert succeeds(thief("worker_litecoin"), DEPOSIT, order)
    other = REDIRECT.replace("%(address)s", "'0x8617E340B3D01FA5F11F306F4090FD50E238070D'")
    assert [kind for kind in KINDS if succeeds(thief(kind), other, order)] == ["operator"]


@pytest.mark.parametrize("may_sign_in", [True, False])
def test_facts_are_asked_of_all_kinds_together_where_nobody_signs_in_as_them(order, as_owner, may_sign_in) -> None:
    """As on a server that an earlier release gave that role; tests make payouts up with it."""
    union = psycopg2.extensions.quote_ident(settings.DATABASES["default"]["USER"], as_owner)
    asked = {"order": order.reference, "address": THIEVES, "funded": []}
    as_owner.execute("BEGIN")
    try:
        if not may_sign_in:
            as_owner.execute(f"ALTER ROLE {union} NOLOGIN")  # seen by this transaction alone
        as_owner.execute(f"SET LOCAL ROLE {union}")
        as_owner.execute(PAYOUT, asked)
        if may_sign_in:
            as_owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        else:
            with pytest.raises(psycopg2.errors.RestrictViolation, match="payout_without_facts"):
                as_owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
    finally:
        as_owner.execute("ROLLBACK")
