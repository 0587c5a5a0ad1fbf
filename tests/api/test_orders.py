"""Rows 7 to 10: opening an order, reading it, and giving it addresses."""

import threading
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from embit import bech32

from accounts.models import AccessToken, User
from core.snapshot import forget_all
from orders import open as orders_open
from orders.idempotency import IdempotencyRequest, find_replay
from orders.models import Order, Transition
from orders.offer import get_offer
from orders.quotes import price_amount
from tests.api.conftest import API, ETH_ADDRESS, OTHER_ETH_ADDRESS, set_rate
from ticker.models import MarketState
from wallets import states as wallet_states
from wallets.models import Address, Deposit, Payout

LTC_ADDRESS = "rltc1q5xgrcqtlnet0gkj7x32ucpf23sd9t72etj3v9g"
THEIR_LTC_ADDRESS = bech32.encode("rltc", 0, b"\x07" * 20)
BODY = {
    "amount_base": 0,
    "amount_quote": 10,
    "is_default_rule": True,
    "pair": {"name": "ETHLTC"},
    "withdraw_address": {"address": ETH_ADDRESS},
}
ORDER_KEYS = {
    "unique_reference",
    "amount_base",
    "amount_quote",
    "is_default_rule",
    "from_default_rule",
    "pair",
    "deposit_address",
    "withdraw_address",
    "created_on",
    "payment_window",
    "payment_deadline",
    "kyc_deadline",
    "status_name",
    "transactions",
    "referral_code",
    "withdrawal_fee",
    "withdrawal_fee_quote",
    "user_provided_amount",
    "amount_usd",
    "amount_btc",
    "amount_eur",
    "price",
    "amount_quote_fee",
    "payment_url",
    "display_refund_address",
    "status",
    "state",
    "exception",
    "hold_reason",
    "next_actor",
    "deadline",
    "waiting",
    "refund_address",
}
ADDRESS_KEYS = {"type", "name", "address", "currency_code", "destination_tag", "payment_id", "memo"}
TRANSACTION_KEYS = {
    "created_on",
    "modified_on",
    "type",
    "address_to",
    "tx_id",
    "confirmations",
    "amount",
    "is_verified",
    "is_completed",
    "time",
    "currency",
}


@pytest.fixture
def alice(open_order):
    """The owner of an order, with the order as it was answered in `.order`."""
    api = API()
    api.order = open_order(api)
    api.bearer = api.order["token"]
    api.path = f"orders/{api.order['unique_reference']}/"
    return api


@pytest.fixture
def charlie():
    """Somebody who has an order's reference and a bearer text of no one."""
    return API(bearer="c" * 64)


def deposit(order, *, at, state=wallet_states.SEEN, disposition="", height=None, txid="aa" * 32):
    confirmed = at if state == wallet_states.CONFIRMED else None
    return Deposit.objects.create(
        chain="litecoin",
        txid=txid,
        position="0",
        asset_id="LTC",
        address=Address.objects.get(owner_ref=order.reference),
        owner_ref=order.reference,
        amount_minor=10 * 10**8,
        state=state,
        disposition=disposition,
        first_seen_at=at,
        confirmed_at=confirmed,
        block_height=height,
    )


def payout(order, *, at, state, purpose="", txid=""):
    return Payout.objects.create(
        purpose=purpose or f"order:{order.reference}:settle",
        chain="ethereum",
        asset_id="ETH",
        owner_ref=order.reference,
        address=ETH_ADDRESS,
        amount_minor=order.get_minor,
        fee_cap_minor=1,
        reserved_minor=order.get_minor + 1,
        state=state,
        txid=txid,
        requested_at=at,
    )


# Row 7: opening


def test_answers_a_new_order_with_everything_that_clients_read(house, anyone, at):
    answer = anyone.post("orders/", BODY)

    order = answer.body
    assert answer.status_code == 201
    assert set(order) == ORDER_KEYS | {"token"}
    assert order["unique_reference"].startswith("O")
    assert order["amount_quote"] == "10.00000000"
    assert order["amount_base"] == "0.33079756"
    assert order["status_name"] == [[11, "INITIAL"]]
    assert order["user_provided_amount"] == 1
    assert order["payment_window"] == 20
    assert order["created_on"].endswith("Z")
    assert set(order["deposit_address"]) == set(order["withdraw_address"]) == ADDRESS_KEYS
    assert (order["deposit_address"]["type"], order["withdraw_address"]["type"]) == ("D", "W")
    assert order["withdraw_address"]["address"] == ETH_ADDRESS
    assert order["pair"]["quote"]["is_crypto"] is True
    assert order["pair"]["fee_ask"] == Decimal("0.005")
    assert order["referral_code"][0]["code"] == ""
    assert order["price"]["rate"] == Decimal("30.075")
    assert order["amount_usd"] == Decimal("990.7386922")
    assert order["amount_eur"] is None
    assert order["state"] == "awaiting_deposit"
    assert order["exception"] == "none"
    assert order["next_actor"] == "customer"
    assert order["deadline"] == order["payment_deadline"]


def test_stores_what_it_answered(house, anyone):
    order = anyone.post("orders/", BODY).body

    row = Order.objects.get()
    assert row.reference == order["unique_reference"]
    assert row.send_minor == 10 * 10**8
    assert row.get_minor == 330797560000000000
    assert row.deposit_address == order["deposit_address"]["address"]
    assert row.user.is_anonymous_owner
    assert AccessToken.objects.get().user == row.user
    assert Transition.objects.filter(order=row).count() == 1


@pytest.mark.parametrize(
    ("changes", "side", "base", "quote"),
    [
        ({"amount_base": 0.1, "amount_quote": 0}, 0, "0.10000000", None),
        ({"amount_base": "0.1", "amount_quote": None}, 0, "0.10000000", None),
        ({"amount_base": "", "amount_quote": "2.5"}, 1, None, "2.50000000"),
        ({"amount_base": "0.00", "amount_quote": 2}, 1, None, "2.00000000"),
        ({"amount_base": "undefined", "amount_quote": 2}, 1, None, "2.00000000"),
        ({"pair": "ethltc"}, 1, None, "10.00000000"),
        ({"withdraw_address": {}}, 1, None, None),
        ({"withdraw_address": None}, 1, None, None),
        ({"withdraw_address": ETH_ADDRESS}, 1, None, None),
        ({"withdraw_address": {"address": ETH_ADDRESS, "name": "mine", "memo": None}}, 1, None, None),
        ({"withdraw_address": {"address": ETH_ADDRESS.lower()}}, 1, None, None),
    ],
)
def test_accepts_what_clients_of_all_years_send(open_order, changes, side, base, quote):
    order = open_order(**changes)

    assert order["user_provided_amount"] == side
    assert base is None or order["amount_base"] == base
    assert quote is None or order["amount_quote"] == quote
    assert order["withdraw_address"] is None or order["withdraw_address"]["address"] == ETH_ADDRESS


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount_base": 1}, "both_amounts"),
        ({"amount_quote": 0}, "amount_required"),
        ({"amount_quote": "undefined"}, "amount_required"),
        ({"amount_quote": -10}, "amount_invalid"),
        ({"amount_quote": "NaN"}, "amount_invalid"),
        ({"amount_quote": "1e400"}, "amount_invalid"),
        ({"amount_quote": "\u0661\u0660"}, "amount_invalid"),
        ({"amount_quote": "\uff11"}, "amount_invalid"),
        ({"amount_quote": "1 0"}, "amount_invalid"),
        ({"amount_quote": "9" * 60}, "amount_invalid"),
        ({"amount_quote": "1.123456789"}, "amount_too_precise"),
        ({"amount_quote": "0.00001"}, "amount_below_minimum"),
        ({"amount_quote": 1000}, "amount_above_maximum"),
        ({"amount_quote": True}, "field_invalid"),
        ({"amount_quote": [10]}, "field_invalid"),
        ({"amount_quote": {"n": 10}}, "field_invalid"),
        ({"pair": {"name": "NOPE"}}, "pair_unknown"),
        ({"pair": {"name": "BTCLTC"}}, "pair_disabled"),
        ({"pair": {}}, "field_invalid"),
        ({"pair": None}, "field_invalid"),
        ({"pair": 7}, "field_invalid"),
        ({"withdraw_address": {"address": 7}}, "field_invalid"),
        ({"withdraw_address": [ETH_ADDRESS]}, "field_invalid"),
        ({"withdraw_address": {"address": "x" * 5_000}}, "field_invalid"),
        ({"withdraw_address": {"address": "nonsense"}}, "address_invalid"),
        ({"withdraw_address": {"address": "0x\u0661"}}, "address_invalid"),
        ({"withdraw_address": {"address": LTC_ADDRESS}}, "address_other_network"),
        ({"withdraw_address": {"address": ETH_ADDRESS.replace("D", "d")}}, "address_checksum"),
    ],
)
def test_refuses_bad_input_with_a_code_and_saves_nothing(house, anyone, changes, code):
    answer = anyone.post("orders/", BODY | changes)

    assert answer.status_code == 400
    assert answer.body["code"] == code
    assert answer.body["non_field_errors"][0]
    assert (Order.objects.count(), User.objects.count(), Address.objects.exclude(owner_ref="").count()) == (0, 0, 0)
    if code.startswith("address"):
        assert "has invalid characters" in answer.body["non_field_errors"][0]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "-1e400", "1e999999999", "1" * 5000])
def test_refuses_numbers_that_are_none(house, anyone, number):
    answer = anyone.post("orders/", '{"pair": {"name": "ETHLTC"}, "amount_quote": ' + number + "}")

    assert (answer.status_code, answer.body["code"]) == (400, "body_invalid")
    assert Order.objects.count() == 0


def test_refuses_an_address_of_our_own(open_order, house, anyone):
    ours = open_order(pair="LTCETH", amount_quote="0.1", withdraw_address={})["deposit_address"]["address"]

    answer = anyone.post("orders/", BODY | {"withdraw_address": {"address": ours}})

    assert (answer.status_code, answer.body["code"]) == (400, "address_is_ours")
    assert answer.body["field"] == "withdraw_address"
    assert Order.objects.count() == 1


def test_refuses_when_no_price_is_reliable(house, anyone):
    MarketState.objects.all().delete()

    answer = anyone.post("orders/", BODY)

    assert (answer.status_code, answer.body["code"]) == (400, "rate_unavailable")


@pytest.mark.parametrize("bearer", ["null", "undefined", "", "f" * 64])
def test_an_unknown_bearer_is_an_anonymous_caller(house, bearer):
    answer = API().post("orders/", BODY, authorization=f"Bearer {bearer}")

    assert answer.status_code == 201
    assert len(answer.body["token"]) == 64


def test_a_known_caller_gets_no_new_token_and_owns_the_new_order(alice):
    second = alice.post("orders/", BODY)

    assert second.status_code == 201
    assert second.body["token"] is None
    assert alice.get(f"orders/{second.body['unique_reference']}/").body["withdraw_address"] is not None
    assert User.objects.count() == 1


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("warm", [True, False])
def test_opening_costs_at_most_seven_statements(alice, keyed, known, warm):
    api = alice if known else API()
    forget_all()
    if warm:
        api.get("get_price/ETHLTC/")
        api.get("currency/")

    with CaptureQueriesContext(connection) as queries:
        answer = api.post("orders/", BODY, **({"idempotency-key": str(uuid.uuid4())} if keyed else {}))

    assert answer.status_code == 201
    counted = [row["sql"] for row in queries if "SAVEPOINT" not in row["sql"]]  # BEGIN and COMMIT, in a test
    assert len(counted) <= 7, "\n".join(counted)


# Idempotency


def test_a_repeated_key_answers_with_the_same_order_and_token(house, anyone):
    key = str(uuid.uuid4())

    first = anyone.post("orders/", BODY, **{"idempotency-key": key})
    again = anyone.post("orders/", dict(reversed(BODY.items())), **{"idempotency-key": key})

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.body == first.body
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Order.objects.count() == 1


def test_a_repeated_key_answers_even_when_the_order_could_not_be_opened_any_more(house, anyone, at):
    key = str(uuid.uuid4())
    first = anyone.post("orders/", BODY, **{"idempotency-key": key})
    set_rate("ETH", bid="1", ask="1", at=at - timedelta(hours=1))
    forget_all()

    again = anyone.post("orders/", BODY, **{"idempotency-key": key})
    fresh = anyone.post("orders/", BODY, **{"idempotency-key": str(uuid.uuid4())})

    assert again.status_code == 201
    assert again.body["token"] == first.body["token"]
    assert again.body["unique_reference"] == first.body["unique_reference"]
    assert (fresh.status_code, fresh.body["code"]) == (400, "rate_unavailable")


def test_a_key_with_another_body_is_refused(house, anyone):
    key = str(uuid.uuid4())
    anyone.post("orders/", BODY, **{"idempotency-key": key})

    answer = anyone.post("orders/", BODY | {"amount_quote": 11}, **{"idempotency-key": key})

    assert (answer.status_code, answer.body["code"]) == (409, "idempotency_key_reused")
    assert Order.objects.count() == 1


def test_keys_of_different_users_do_not_meet(alice, open_order):
    bob = API()
    bob.bearer = open_order(bob)["token"]

    answers = [api.post("orders/", BODY, **{"idempotency-key": "same"}) for api in (alice, bob)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].body["unique_reference"] != answers[1].body["unique_reference"]


@pytest.mark.parametrize("key", ["1", "x" * 36, "x" * 200, "not a uuid"])
def test_an_anonymous_key_must_be_one_that_nobody_guesses(house, anyone, key):
    answer = anyone.post("orders/", BODY, **{"idempotency-key": key})

    assert (answer.status_code, answer.body["code"]) == (400, "idempotency_key_invalid")
    assert Order.objects.count() == 0


def test_a_key_whose_first_request_is_not_answered_yet_is_refused(house, anyone):
    key = str(uuid.uuid4())
    held, answered = threading.Event(), threading.Event()

    def first_request():
        with transaction.atomic():
            find_replay(IdempotencyRequest(scope="anonymous", key=key, body_hash=""))
            held.set()
            answered.wait(10)
        connection.close()

    other = threading.Thread(target=first_request)
    other.start()
    held.wait(10)
    try:
        answer = anyone.post("orders/", BODY, **{"idempotency-key": key})
    finally:
        answered.set()
        other.join()

    assert (answer.status_code, answer.body["code"]) == (409, "idempotency_in_progress")
    assert Order.objects.count() == 0
    assert anyone.post("orders/", BODY, **{"idempotency-key": key}).status_code == 201


def test_a_key_committed_in_the_very_moment_of_looking_makes_no_second_order(house, anyone, monkeypatch):
    key = str(uuid.uuid4())
    anyone.post("orders/", BODY, **{"idempotency-key": key})
    # The first look misses the row, as if it had been committed just after the look began; the second finds it.
    looks = []

    def look(request):
        looks.append(request)
        return find_replay(request) if len(looks) > 1 else None

    monkeypatch.setattr("orders.open.find_replay", look)

    again = anyone.post("orders/", BODY, **{"idempotency-key": key})

    assert again.status_code == 201
    assert again["Idempotent-Replayed"] == "true"
    assert Order.objects.count() == 1


def test_without_a_key_two_requests_are_two_orders(house, anyone):
    anyone.post("orders/", BODY)
    anyone.post("orders/", BODY)

    assert Order.objects.count() == 2


# Row 8: reading


def test_the_owner_reads_what_was_answered(alice):
    order = alice.get(alice.path).body

    assert set(order) == ORDER_KEYS
    assert {key: alice.order[key] for key in order} == order


def test_reads_the_reference_without_regard_to_case(alice):
    assert alice.get(alice.path.lower()).status_code == 200


@pytest.mark.parametrize("bearer", ["", "null", "c" * 64])
def test_anyone_else_reads_the_same_keys_without_addresses_and_transaction_ids(alice, at, bearer):
    row = Order.objects.get()
    deposit(row, at=at, state=wallet_states.CONFIRMED, height=99)
    payout(row, at=at, state=wallet_states.CONFIRMED, txid="0x" + "bb" * 32)

    masked = API(bearer=bearer).get(alice.path)
    owned = alice.get(alice.path).body

    assert masked.status_code == 200
    assert set(masked.body) == set(owned)
    assert masked.body["withdraw_address"] is None
    assert [row["tx_id"] for row in masked.body["transactions"]] == [None, None]
    assert [row["tx_id"] for row in owned["transactions"]] == ["aa" * 32, "0x" + "bb" * 32]
    assert ETH_ADDRESS not in masked.content.decode()
    for key in ("deposit_address", "amount_base", "amount_quote", "status_name", "payment_deadline"):
        assert masked.body[key] == owned[key]
    assert [code["code"] for code in masked.body["referral_code"]] == [""]


def test_another_owner_is_not_the_owner(alice, open_order):
    bob = API()
    bob.bearer = open_order(bob)["token"]

    assert bob.get(alice.path).body["withdraw_address"] is None
    assert bob.patch(alice.path, {"withdraw_address": {"address": OTHER_ETH_ADDRESS}}).status_code == 403


@pytest.mark.parametrize(
    ("state", "number", "exception"),
    [
        ("AWAITING_DEPOSIT", 11, "NONE"),
        ("CONFIRMING", 12, "UNDERPAID"),
        ("EXCHANGING", 13, "NONE"),
        ("PAYING", 14, "NONE"),
        ("SENT", 15, "NONE"),
        ("COMPLETED", 16, "SECOND"),
        ("EXPIRED", 0, "NONE"),
        ("REFUNDING", 6, "PAID_LATE"),
        ("REFUND_FAILED", 7, "PAID_LATE"),
        ("REFUNDED", 8, "PAID_LATE"),
    ],
)
def test_every_state_has_its_number_and_what_clients_take_for_granted(alice, state, number, exception):
    Order.objects.update(state=state, exception=exception)

    order = alice.get(alice.path).body

    assert order["status_name"][0][0] == order["status"] == number
    assert order["state"] == state.lower()
    assert order["exception"] == exception.lower()
    assert order["referral_code"][0]["code"] is not None
    kinds = [row["type"] for row in order["transactions"]]
    assert all(set(row) == TRANSACTION_KEYS for row in order["transactions"])
    if number == 11:
        assert order["deposit_address"]["address"]
    if number in (12, 13):
        assert "D" in kinds
    if number == 15:
        assert "W" in kinds


def test_shows_a_deposit_and_how_deep_it_is(alice, at):
    deposit(Order.objects.get(), at=at, height=100)

    (row,) = alice.get(alice.path).body["transactions"]

    assert (row["type"], row["amount"], row["confirmations"]) == ("D", "10.00000000", 1)
    assert (row["is_verified"], row["is_completed"], row["currency"]) == (False, False, "LTC")


def test_shows_a_refund_as_such(alice, at):
    waiting = deposit(Order.objects.get(), at=at, state=wallet_states.CONFIRMED, disposition="REFUND", height=90)
    payout(Order.objects.get(), at=at, state=wallet_states.CONFIRMED, purpose=f"deposit:{waiting.pk}:refund")

    kinds = [row["type"] for row in alice.get(alice.path).body["transactions"]]

    assert kinds == ["D", "R"]


def test_a_payment_that_was_refused_before_signing_is_not_shown(alice, at):
    payout(Order.objects.get(), at=at, state=wallet_states.REJECTED)

    assert alice.get(alice.path).body["transactions"] == []


def test_reading_costs_at_most_four_statements(alice, at, django_assert_max_num_queries):
    row = Order.objects.get()
    for n in range(5):
        deposit(row, at=at, txid=f"{n:064d}")
    payout(row, at=at, state=wallet_states.CONFIRMED)
    alice.get(alice.path)

    with django_assert_max_num_queries(4):
        assert alice.get(alice.path).status_code == 200


# Rows 9 and 10: addresses


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("form", ["object", "text", "with extra id"])
def test_the_owner_sets_the_payout_address(open_order, method, form):
    api = API()
    order = open_order(api, withdraw_address={})
    api.bearer = order["token"]
    value = {
        "object": {"address": ETH_ADDRESS},
        "text": ETH_ADDRESS,
        "with extra id": {"address": ETH_ADDRESS, "destination_tag": "7"},
    }[form]

    answer = api.send(method, f"orders/{order['unique_reference']}/", {"withdraw_address": value})

    assert answer.status_code == 200
    assert answer.body["withdraw_address"]["address"] == ETH_ADDRESS
    assert Order.objects.get().payout_address == ETH_ADDRESS


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("value", [THEIR_LTC_ADDRESS, {"address": THEIR_LTC_ADDRESS}])
def test_the_owner_sets_the_refund_address(alice, method, value):
    answer = alice.send(method, alice.path, {"refund_address": value})

    assert answer.status_code == 200
    assert answer.body["refund_address"]["type"] == "R"
    assert answer.body["display_refund_address"] is False


def test_a_second_refund_address_is_refused(alice):
    alice.put(alice.path, {"refund_address": THEIR_LTC_ADDRESS})

    answer = alice.put(alice.path, {"refund_address": bech32.encode("rltc", 0, b"\x08" * 20)})

    assert (answer.status_code, answer.body["code"]) == (400, "refund_address_set")
    assert "already has a refund address" in answer.body["non_field_errors"][0]


def test_the_token_of_an_order_from_the_site_is_its_bearer_too(house, at):
    quote = price_amount(get_offer("ETHLTC", at=at), send="1", at=at)
    opened = orders_open.open_order(quote=quote, payout_address="", at=at)  # by a page: no user is made
    path = f"orders/{opened.order.reference}/"

    answer = API(bearer=opened.owner_token).patch(path, {"withdraw_address": {"address": ETH_ADDRESS}})

    assert answer.status_code == 200
    assert answer.body["withdraw_address"]["address"] == ETH_ADDRESS
    assert API(bearer=opened.order.owner_token_hash).get(path).body["withdraw_address"] is None


def test_the_payout_address_is_frozen_once_a_deposit_is_seen(alice, at):
    deposit(Order.objects.get(), at=at)

    answer = alice.patch(alice.path, {"withdraw_address": {"address": OTHER_ETH_ADDRESS}})

    assert (answer.status_code, answer.body["code"]) == (400, "address_frozen")
    assert Order.objects.get().payout_address == ETH_ADDRESS


@pytest.mark.parametrize("bearer", ["", "null", "c" * 64])
def test_nobody_else_sets_an_address(alice, bearer):
    answer = API(bearer=bearer).patch(alice.path, {"withdraw_address": {"address": OTHER_ETH_ADDRESS}})

    assert (answer.status_code, answer.body["code"]) == (403, "owner_required")
    assert Order.objects.get().payout_address == ETH_ADDRESS


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "field_invalid"),
        ({"withdraw_address": {}}, "field_invalid"),
        ({"withdraw_address": {"address": ""}}, "field_invalid"),
        ({"withdraw_address": ETH_ADDRESS, "refund_address": LTC_ADDRESS}, "field_invalid"),
        ({"withdraw_address": {"address": 1.5}}, "field_invalid"),
        ([], "field_invalid"),
        ({"withdraw_address": {"address": "0xzz"}}, "address_invalid"),
        ({"withdraw_address": {"address": LTC_ADDRESS}}, "address_other_network"),
        ({"refund_address": ETH_ADDRESS}, "address_other_network"),
    ],
)
def test_refuses_a_bad_address_and_keeps_the_order_as_it_was(alice, body, code):
    before = Order.objects.values().get()

    answer = alice.patch(alice.path, body)

    assert (answer.status_code, answer.body["code"]) == (400, code)
    assert Order.objects.values().get() == before
    if code.startswith("address"):
        assert "has invalid characters" in answer.body["non_field_errors"][0]


def test_an_unknown_reference_is_a_404_for_reads_and_writes(house, charlie):
    for reference in ("O0000000000000000", "O1", "nothing", "L0000000000000000"):
        assert charlie.get(f"orders/{reference}/").status_code == 404
        assert charlie.patch(f"orders/{reference}/", {"withdraw_address": ETH_ADDRESS}).status_code == 404
