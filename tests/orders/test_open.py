"""orders.open: one quote, one order, one promise, one address; repeats answer alike, bad input leaves nothing."""

import uuid
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from core.assets import get_asset
from core.errors import DomainError
from core.snapshot import forget_all
from core.tokens import token_matches
from ledger.balances import get_floor_balance
from ledger.post import post_entry
from ledger.reserve import reserve_entry
from orders.facts import read_facts
from orders.idempotency import IdempotencyRequest, IdempotencyReused, hash_body
from orders.models import Order, Promise
from orders.offer import LiquidityShort, ReservePromised, get_limits
from orders.open import Client, Opened, QuoteUsed, open_order
from orders.quotes import make_quote
from orders.reads import build_view, find_order
from tests.orders.conftest import NOW
from ticker.models import Pair
from wallets.models import Address

pytestmark = pytest.mark.usefixtures("site")

ETH_ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # from EIP-55


def open_one(**options: object) -> Opened:
    options.setdefault("quote", make_quote(pair="ETHLTC", send="2", at=NOW))
    options.setdefault("payout_address", ETH_ADDRESS)
    return open_order(at=NOW, **options)  # type: ignore[arg-type]


def test_an_order_keeps_what_was_quoted() -> None:
    quote = make_quote(pair="ETHLTC", send="2", at=NOW)
    opened = open_one(quote=quote)

    order = Order.objects.get()
    assert (order.send_minor, order.get_minor) == (quote.send.minor, quote.get.minor)
    assert (order.rate, order.fee_minor, order.network_fee_minor) == (
        quote.rate,
        quote.fee.minor,
        quote.network_fee.minor,
    )
    assert token_matches(opened.owner_token, order.owner_token_hash)
    assert order.deposit_address.startswith("rltc1q")
    assert Address.objects.get(address=order.deposit_address).owner_ref == order.reference


def test_a_promise_takes_coins_from_what_is_available() -> None:
    before = read_facts().sides["ETH"]
    order = open_one().order

    promised = Promise.objects.get(order=order).amount_minor
    assert promised == order.get_minor + order.fee_cap_minor
    after = read_facts().sides["ETH"]
    assert (before.free - after.free, after.unfunded) == (promised, promised)


def test_a_quote_is_used_once() -> None:
    quote = make_quote(pair="ETHLTC", send="2", at=NOW)
    open_one(quote=quote)

    with pytest.raises(QuoteUsed):
        open_one(quote=quote)
    assert Order.objects.count() == 1


def test_the_same_request_twice_is_one_order_with_the_same_tokens() -> None:
    request = IdempotencyRequest("anonymous", str(uuid.uuid4()), hash_body("x"))
    client = Client(anonymous_user=True)
    first = open_one(idempotency=request, client=client)
    again = open_one(idempotency=request, client=client)

    assert (again.order.pk, again.owner_token, again.bearer) == (first.order.pk, first.owner_token, first.bearer)
    assert again.replayed
    assert Order.objects.count() == 1


def test_the_same_key_with_other_contents_is_refused() -> None:
    key = str(uuid.uuid4())
    open_one(idempotency=IdempotencyRequest("anonymous", key, hash_body("x")))

    with pytest.raises(IdempotencyReused):
        open_one(idempotency=IdempotencyRequest("anonymous", key, hash_body("y")))


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("hello", "address_invalid"),
        (ETH_ADDRESS.replace("aA", "AA"), "address_checksum"),
        ("rltc1qjy2c2jlzau5l7f8kfwlz3582k420xz5zu3k6hg", "address_other_network"),
        ("0x" + "0" * 40, "address_nobody"),
        ("0х5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "address_invalid"),
    ],
)
def test_a_wrong_payout_address_leaves_nothing(address: str, code: str) -> None:
    with pytest.raises(DomainError) as refusal:
        open_one(payout_address=address)

    assert (refusal.value.code, refusal.value.field) == (code, "payout_address")
    assert not Order.objects.exists()
    assert not Address.objects.exclude(owner_ref="").exists()


def test_our_own_deposit_address_is_no_payout_address() -> None:
    ours = open_one().order.deposit_address

    with pytest.raises(DomainError) as refusal:
        open_one(quote=make_quote(pair="LTCETH", send="0.05", at=NOW), payout_address=ours)
    assert refusal.value.code == "address_is_ours"


def test_coins_that_went_elsewhere_meanwhile_are_not_promised() -> None:
    quote = make_quote(pair="ETHLTC", send="2", at=NOW)
    spendable = get_floor_balance(kind="chain:spendable", asset=get_asset("ETH"))
    with transaction.atomic():
        post_entry(reserve_entry(purpose="elsewhere", amount=spendable, at=NOW))

    with pytest.raises(LiquidityShort):
        open_one(quote=quote)
    assert not Order.objects.exists()


def test_unpaid_orders_of_a_pair_hold_only_so_much_together() -> None:
    Pair.objects.filter(name="ETHLTC").update(unfunded_cap_minor=15 * 10**17)
    forget_all()
    quotes = [make_quote(pair="ETHLTC", get="1", at=NOW) for _ in range(2)]
    open_one(quote=quotes[0])
    forget_all()

    with pytest.raises(ReservePromised):
        open_one(quote=quotes[1])
    assert get_limits(pair="ETHLTC", at=NOW).max_get.to_decimal() < Decimal("0.5")


def test_one_client_holds_only_so_many_unpaid_orders() -> None:
    client = Client(network="a-network")
    for _ in range(10):
        open_one(client=client)

    with pytest.raises(DomainError) as refusal:
        open_one(client=client)
    assert refusal.value.code == "too_many_open_orders"
    assert open_one(client=Client(network="another")).order


def test_creating_takes_at_most_14_statements_and_reading_4() -> None:
    quote = make_quote(pair="ETHLTC", send="2", at=NOW)
    request = IdempotencyRequest("anonymous", str(uuid.uuid4()), hash_body("x"))
    with CaptureQueriesContext(connection) as queries:
        order = open_one(quote=quote, idempotency=request, client=Client(network="n", anonymous_user=True)).order
    said = [q["sql"] for q in queries if not q["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))]
    assert len(said) <= 14, "\n".join(said)

    with CaptureQueriesContext(connection) as queries:
        found = find_order(order.reference.lower())
        assert found
        build_view(found, at=NOW, is_owner=True)
    assert len(queries) <= 4


@pytest.mark.parametrize("text", ["", "O", "OXXXX", "O" + "U" * 16, "O'; DROP TABLE orders_order; --", "O" + "0" * 17])
def test_a_guessed_reference_finds_nothing(text: str) -> None:
    open_one()

    assert find_order(text) is None


def test_someone_else_sees_no_address_of_the_customer() -> None:
    order = open_one(refund_address="").order
    view = build_view(order, at=NOW, is_owner=False)

    assert (view.payout_address, view.refund_address, view.may) == ("", "", frozenset())
    assert ETH_ADDRESS not in str([view.deposits, view.payouts, view.transitions])
