"""A stolen web host and other people's payments: it can write what an owner asks for, so that must be worth nothing to it."""

from collections.abc import Callable, Iterator

import psycopg2
import pytest
from django.conf import settings
from psycopg2 import extensions

from core import clock
from orders import states
from orders.choices import carry_out_choices
from orders.credit import follow_deposits
from orders.models import Order
from orders.payout import request_payouts
from tests.simulated import SimulatedExchange
from wallets.models import Deposit, Payout

Thief = Callable[[str], extensions.connection]
ASK = """
    INSERT INTO orders_choice (order_id, deposit_id, kind, address, actor, asked_at, details)
    SELECT o.id, d.id, 'refund', %(address)s, 'customer', now(), '{}' FROM orders_order o, wallets_deposit d
    WHERE o.reference = %(order)s AND d.owner_ref = %(payer)s
"""
OFFER = "UPDATE orders_order SET hold_reason = 'LIQUIDITY', next_actor = 'customer' WHERE reference = %(order)s"
TURN = "UPDATE orders_order SET next_actor = 'customer' WHERE reference = %(order)s"


@pytest.fixture
def site(committed_db: None, keys: None) -> Iterator[SimulatedExchange]:
    site = SimulatedExchange(clock.now())
    with clock.clock_reads(site.now):
        site.mine(1)
        for chain in settings.CHAINS:
            site.scan(chain)
        site.fund("litecoin", 25 * 10**8)
        site.fund("ethereum", 100 * 10**18)
        yield site


def refused(raw: extensions.connection, statement: str, **values: str) -> str:
    """Return by which of our names a statement was refused; nothing when it was committed."""
    try:
        with raw, raw.cursor() as cursor:
            cursor.execute(statement, values)
            assert cursor.rowcount == 1
    except psycopg2.errors.RestrictViolation as error:
        return str(error).partition(":")[0]
    return ""


def test_a_stolen_web_host_sends_no_payment_back_to_itself(site: SimulatedExchange, thief: Thief) -> None:
    """It did: a choice about a credited payment was its own proof that the refund had been offered."""
    own, thieves = site.litecoin.new_address(), site.litecoin.new_address()
    credited, short, other = (site.open(refund_address=own).order for _ in range(3))
    site.pay(credited)
    for order in (short, other):
        site.pay(order, order.send_minor // 2)
    site.litecoin.mine(4)
    site.scan("litecoin")
    follow_deposits(chain="litecoin", at=site.now())
    web = thief("web")

    def ask(order: Order, address: str, payer: Order) -> str:
        return refused(web, ASK, order=order.reference, address=address, payer=payer.reference)

    assert site.reload(credited).state == states.EXCHANGING
    for address in (own, thieves):
        assert ask(credited, address, credited) == "choice_not_offered"
    assert refused(web, OFFER, order=credited.reference) == "order_turn_kept"
    request_payouts(asset="ETH", at=site.now())
    assert site.reload(credited).state == states.PAYING
    assert ask(credited, thieves, credited) == "choice_not_offered"
    assert refused(web, TURN, order=credited.reference) == "order_turn_kept"
    assert ask(short, thieves, short) == "choice_address_fixed"
    assert ask(short, own, other) == "choice_of_another"

    # What an owner may ask for still comes back, to the address that was given.
    assert ask(short, own, short) == ""
    assert carry_out_choices(chain="litecoin", at=site.now()) == 1
    assert list(Payout.objects.filter(asset="LTC").values_list("address", flat=True)) == [own]
    assert Deposit.objects.get(owner_ref=credited.reference).disposition == "CREDIT"


EVENT = """
    INSERT INTO orders_transition
        (order_id, seq, from_state, to_state, exception, hold_reason, actor, reason, at, published_seq)
    SELECT id, transition_count + {ahead}, state, state, exception, hold_reason, 'customer', 'x', now(), {published}
    FROM orders_order WHERE reference = %(order)s
"""


def test_a_stolen_web_host_takes_no_order_the_number_of_its_next_event(site: SimulatedExchange, thief: Thief) -> None:
    """It did: the worker's next move found its number taken, and the order, with its payment, never moved again."""
    order = site.open().order
    web = thief("web")
    for statement in (
        EVENT.format(ahead=1, published="NULL"),
        EVENT.format(ahead=2**30, published="NULL"),
        EVENT.format(ahead=0, published=2**62),
        "UPDATE orders_order SET transition_count = transition_count - 1 WHERE reference = %(order)s",
        "UPDATE orders_order SET transition_count = transition_count + 2 WHERE reference = %(order)s",
    ):
        assert refused(web, statement, order=order.reference) == "transition_out_of_step", statement

    site.pay(order)
    site.litecoin.mine(4)
    site.scan("litecoin")
    follow_deposits(chain="litecoin", at=site.now())
    assert site.reload(order).state == states.EXCHANGING


@pytest.mark.parametrize(
    ("deadline", "said"),
    [
        ("'infinity'", "order_turn_kept"),
        ("now() + interval '91 minutes'", "order_turn_kept"),
        ("now() + interval '60 minutes'", ""),  # the machine's own turn, which an address begins
    ],
)
def test_a_stolen_web_host_puts_nothing_off_for_ever(
    site: SimulatedExchange, thief: Thief, deadline: str, said: str
) -> None:
    """It did: what was due on no day made nobody the next one, long after the thief was gone."""
    order = site.open().order
    put_off = f"UPDATE orders_order SET deadline = {deadline} WHERE reference = %(order)s"
    assert refused(thief("web"), put_off, order=order.reference) == said
    assert refused(thief("worker_litecoin"), put_off, order=order.reference) == ""
