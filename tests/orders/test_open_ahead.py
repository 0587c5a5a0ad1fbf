"""What is judged ahead of the locks: whatever the rules allow at its bounds, they allow within them."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from core.assets import get_asset
from core.errors import DomainError
from core.money import Money
from core.snapshot import forget_all
from orders import open as opening
from orders.facts import Ceilings, Side, read_facts
from orders.models import Order, Promise
from orders.offer import Offer, check_promise, get_offer, room_of
from orders.open import Client, open_order
from orders.quotes import make_quote
from tests.orders.conftest import NOW
from wallets.addresses import take_place
from wallets.models import Address, ChainState

pytestmark = pytest.mark.usefixtures("site")
ETH_ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # from EIP-55
TENTH = 10**17
SOME = st.integers(0, 400)


def allowed(offer: Offer, side: Side, get: Money) -> bool:
    try:
        check_promise(replace(offer, room=room_of(offer.pair, side)), side, get=get, client_ref="somebody")
    except DomainError:
        return False
    return True


@st.composite
def within(draw: Callable[..., Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Return bounds in tenths, and amounts that `orders_open` would find to be within them."""
    free, unfunded, client_minor, count = draw(SOME), draw(SOME), draw(SOME), draw(st.integers(0, 9))
    promised = unfunded + draw(SOME)
    less_unfunded = draw(st.integers(0, unfunded))
    bounds = {
        "free": free,
        "promised": promised,
        "unfunded": unfunded,
        "client_open": client_minor,
        "client_count": count,
    }
    found = {
        "free": free + less_unfunded + draw(SOME),
        "promised": draw(st.integers(unfunded - less_unfunded, promised)),
        "unfunded": unfunded - less_unfunded,
        "client_open": draw(st.integers(0, client_minor)),
        "client_count": draw(st.integers(0, count)),
    }
    return bounds, found


def test_more_coins_and_fewer_promises_never_refuse(settings: Any) -> None:
    offer, side = get_offer("ETHLTC", at=NOW), read_facts().sides["ETH"]

    @how(max_examples=400, deadline=None)
    @given(within(), st.integers(1, 200), st.integers(0, 800), st.booleans())
    def check(pair: tuple[dict[str, int], dict[str, int]], tenths: int, left: int, capped: bool) -> None:
        ceilings = Ceilings(left * TENTH, left * TENTH, left * TENTH, {"litecoin": left * TENTH}, 0) if capped else None
        at_bounds, found = (
            replace(
                side,
                ceilings=ceilings,
                **{name: value * (1 if name == "client_count" else TENTH) for name, value in values.items()},
            )
            for values in pair
        )
        get = Money(tenths * TENTH // 10, get_asset("ETH"))
        if allowed(offer, at_bounds, get):
            assert allowed(offer, found, get)

    check()


BOUNDS = ("free", "whole", "promised", "unfunded", "client_minor", "client_count")


@pytest.mark.parametrize("off", [0, 1])
@pytest.mark.parametrize("bound", BOUNDS)
def test_the_function_writes_up_to_each_bound_and_not_beyond(
    monkeypatch: pytest.MonkeyPatch, bound: str, off: int
) -> None:
    """Each bound set to exactly what is there, and one unit further."""
    client = Client(network="somebody")
    open_order(quote=make_quote(pair="ETHLTC", get="1", at=NOW), payout_address="", client=client, at=NOW)
    forget_all()
    side = read_facts("somebody").sides["ETH"]
    there = {
        "free": side.free,
        "whole": side.free + side.unfunded,
        "promised": side.promised,
        "unfunded": side.unfunded,
        "client_minor": side.client_open,
        "client_count": side.client_count,
    }
    assert min(there.values()) > 0
    there[bound] += off if bound in ("free", "whole") else -off
    monkeypatch.setattr(opening, "_judge_ahead", lambda *_: opening._Bounds(**there))
    again = []
    monkeypatch.setattr(opening, "_judge_and_write", lambda *_: again.append(1) or "in_progress")

    if off:
        with pytest.raises(DomainError):
            open_order(quote=make_quote(pair="ETHLTC", get="1", at=NOW), payout_address="", client=client, at=NOW)
    else:
        open_order(quote=make_quote(pair="ETHLTC", get="1", at=NOW), payout_address="", client=client, at=NOW)
    assert len(again) == off
    assert Promise.objects.count() == 2 - off


def test_a_row_that_our_key_does_not_make_stands_in_nobodys_way() -> None:
    Address.objects.create(
        chain="ethereum", address=ETH_ADDRESS, account=0, branch=0, index=77, owner_ref="forged", created_at=NOW
    )

    assert open_order(quote=make_quote(pair="ETHLTC", get="1", at=NOW), payout_address=ETH_ADDRESS, at=NOW).order.pk


def test_what_is_answered_is_what_was_written() -> None:
    quote = make_quote(pair="ETHLTC", get="1", at=NOW)
    user_client = Client(network="somebody", anonymous_user=True)
    opened = open_order(quote=quote, payout_address=ETH_ADDRESS, client=user_client, at=NOW)

    row = Order.objects.get(pk=opened.order.pk)
    for field in Order._meta.concrete_fields:
        answered, stored = getattr(opened.order, field.attname), getattr(row, field.attname)
        assert field.to_python(answered) == stored, field.attname
    row.refresh_from_db()
    assert row.user is not None
    assert row.user.is_active
    assert not row.user.has_usable_password()
    assert row.user.orders.get() == row


@pytest.mark.parametrize("table", ["orders_order", "orders_promise", "wallets_address", "accounts_user"])
def test_every_column_that_must_be_filled_is(table: str) -> None:
    """Rows are listed by column in SQL: a column that is added without a default would refuse every order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('orders_open'::regproc)")
        (text,) = cursor.fetchone()
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_nullable = 'NO'"
            " AND column_default IS NULL AND is_identity = 'NO'",
            [table],
        )
        needed = {name for (name,) in cursor.fetchall()}
    listed = text.partition(f"INSERT INTO {table} (")[2].partition(")")[0]

    assert needed <= {name.strip() for name in listed.replace("\n", " ").split(",")}


def test_places_of_one_transaction_follow_each_other() -> None:
    places = [take_place("litecoin") for _ in range(3)]

    assert [place.index for place in places] == [0, 1, 2]
    assert ChainState.objects.get(code="litecoin").next_index == 3
    assert take_place(f"new-{secrets.token_hex(4)}").index == 0
