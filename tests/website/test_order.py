"""The order page: everything for its owner, a mask for anyone else, and what the owner may do."""

from datetime import timedelta

import pytest
from django.db import transaction

from core import clock
from ledger.balances import get_floor_balance
from ledger.post import post_entry
from ledger.reserve import reserve_entry
from orders.choices import carry_out_choices
from orders.credit import follow_deposit
from orders.expire import offer_refunds
from orders.models import Order
from orders.payout import request_order_payout
from tests.orders.conftest import NOW
from tests.website.conftest import ETH_ADDRESS, LTC_ADDRESS
from wallets import states
from wallets.deposits import deposit_entry
from wallets.models import Address, ChainState, Deposit, Payout


def page(answer):
    return answer.content.decode()


def url(order, *more):
    return "/".join(["", "en", "order", order.reference, *more, ""])


def owner_link(browser, order):
    return page(browser.get(url(order))).split('id="owner-link" readonly value="')[1].split('"')[0]


def pay(order, minor, *, seen_at=NOW, txid="ab" * 32):
    """Let the chain have confirmed a payment to the order, and the order have looked at it."""
    deposit = Deposit.objects.create(
        chain="litecoin",
        asset_id="LTC",
        txid=txid,
        position="0",
        address=Address.objects.get(address=order.deposit_address),
        owner_ref=order.reference,
        amount_minor=minor,
        state=states.CONFIRMED,
        first_seen_at=seen_at,
        mined_at=seen_at,
        confirmed_at=seen_at,
        block_height=9,
        news=True,
    )
    with transaction.atomic():
        post_entry(deposit_entry(deposit, at=NOW))
    follow_deposit(deposit_id=deposit.pk, reference=order.reference, at=NOW)
    return deposit


@pytest.fixture
def order(open_page, alice):
    return open_page(alice)


def test_tells_its_owner_how_to_pay(alice, order):
    shown = page(alice.get(url(order)))

    assert "Send exactly 2 LTC" in shown
    assert order.deposit_address in shown
    assert "Litecoin network" in shown
    assert f"litecoin:{order.deposit_address}?amount=2" in shown
    assert 'data-copy="#pay-amount"' in shown
    assert 'data-copy="#pay-address"' in shown


def test_shows_anyone_else_a_masked_page(bob, order):
    shown = page(bob.get(url(order)))

    assert "2 LTC" in shown
    assert "masked page" in shown
    assert order.deposit_address not in shown
    assert ETH_ADDRESS not in shown


def test_masks_the_live_answer_too(alice, bob, order):
    assert order.deposit_address in alice.get(url(order, "live")).json()["parts"]["pay"]
    assert order.deposit_address not in bob.get(url(order, "live")).content.decode()
    assert ETH_ADDRESS not in bob.get(url(order, "live")).content.decode()


def test_draws_the_payment_request_for_its_owner_alone(alice, bob, order):
    drawn = alice.get(url(order, "qr.svg").rstrip("/"))

    assert drawn["Content-Type"] == "image/svg+xml"
    assert drawn.content.startswith(b'<svg xmlns="http://www.w3.org/2000/svg"')
    assert bob.get(url(order, "qr.svg").rstrip("/")).status_code == 404


@pytest.mark.parametrize("reference", ["O0000000000000000", "X", "O" + "'" * 16])
def test_answers_404_to_a_guess(alice, site, reference):
    assert alice.get(f"/en/order/{reference}/").status_code == 404


def test_survives_a_change_of_language(alice, order):
    assert order.deposit_address in page(alice.get(f"/ru/order/{order.reference}/"))
    assert "Отправьте ровно 2 LTC" in page(alice.get(f"/ru/order/{order.reference}/"))


def test_keeps_the_owner_cookie_from_scripts_and_from_other_paths(alice, order):
    (cookie,) = [morsel for name, morsel in alice.cookies.items() if name == f"order_{order.reference}_en"]

    assert cookie["httponly"]
    assert cookie["path"] == url(order)


def test_is_kept_by_no_cache(alice, order):
    assert "no-store" in alice.get(url(order))["Cache-Control"]


def test_opens_for_whoever_has_the_link(alice, bob, order):
    link = owner_link(alice, order)

    answer = bob.post(url(order, "claim"), {"token": link})

    assert answer.status_code == 302
    assert order.deposit_address in page(bob.get(url(order)))


def test_refuses_a_wrong_link(bob, order):
    answer = bob.post(url(order, "claim"), {"token": "0" * 64})

    assert answer.status_code == 403
    assert "does not open this order" in page(answer)
    assert order.deposit_address not in page(bob.get(url(order)))


def test_takes_a_refund_address_once(alice, order):
    assert alice.post(url(order, "refund-address"), {"address": LTC_ADDRESS}).status_code == 302
    assert Order.objects.get().refund_address == LTC_ADDRESS


def test_says_beside_the_field_what_is_wrong_with_a_refund_address(alice, order):
    answer = alice.post(url(order, "refund-address"), {"address": "rltc1qqqqq"})

    assert answer.status_code == 422
    assert "Litecoin regtest address" in page(answer).split('id="refund-address-error"')[1][:200]


@pytest.mark.parametrize("form", ["refund-address", "payout-address", "refund/1"])
def test_lets_only_the_owner_write(bob, order, form):
    answer = bob.post(url(order, form), {"address": LTC_ADDRESS, "address_repeated": LTC_ADDRESS})

    assert answer.status_code == 403
    assert Order.objects.get().refund_address == ""


def test_offers_a_refund_of_a_deposit_that_is_too_small(alice, order):
    pay(order, 10**8)

    shown = page(alice.get(url(order)))

    assert "needs your decision" in shown
    assert "It is smaller than the agreed amount." in shown
    assert "You get back" in shown


def test_says_first_that_the_exchange_goes_on_when_a_second_deposit_waits(alice, order):
    pay(order, order.send_minor)
    pay(order, order.send_minor, txid="cd" * 32)

    shown = page(alice.get(url(order)))

    assert '<h2 id="status-title">Exchanging</h2>' in shown
    assert "Another deposit waits for your decision below." in shown
    assert "this is another one" in shown


def test_sends_a_waiting_deposit_back_to_an_address_typed_twice(alice, order):
    deposit = pay(order, 10**8)

    answer = alice.post(
        url(order, "refund", str(deposit.pk)), {"address": LTC_ADDRESS, "address_repeated": LTC_ADDRESS}
    )

    assert answer.status_code == 302
    assert not Payout.objects.exists()  # the page asks; a worker sends
    shown = page(alice.get(url(order)))
    assert "Your refund is on its way" in shown
    assert "Refund requested, on its way" in shown
    assert LTC_ADDRESS in shown
    assert "Send it back" not in shown
    assert carry_out_choices(chain="litecoin", at=NOW) == 1
    assert Payout.objects.get().address == LTC_ADDRESS
    shown = page(alice.get(url(order)))
    assert "Your refund is on its way" in shown
    assert "Refund requested, on its way" not in shown


def test_shows_a_refusal_of_the_worker_beside_the_form(alice, order):
    deposit = pay(order, 60_000)
    alice.post(url(order, "refund", str(deposit.pk)), {"address": LTC_ADDRESS, "address_repeated": LTC_ADDRESS})
    ChainState.objects.filter(code="litecoin").update(fee_rate_minor=2000)
    carry_out_choices(chain="litecoin", at=NOW)

    shown = page(alice.get(url(order)))

    assert "does not cover the network fee of" in shown
    assert "needs your decision" in shown


def test_sends_nothing_back_when_the_two_addresses_differ(alice, order):
    deposit = pay(order, 10**8)

    answer = alice.post(url(order, "refund", str(deposit.pk)), {"address": LTC_ADDRESS, "address_repeated": "x"})

    assert answer.status_code == 422
    assert "The two refund addresses differ" in page(answer)
    assert not Payout.objects.exists()


def test_says_what_a_slightly_different_deposit_gives(alice, order):
    pay(order, 2 * 10**8 - 500_000)

    assert "So you get, at the same rate" in page(alice.get(url(order)))


def test_says_what_happens_next_when_the_time_is_over(alice, order):
    with clock.clock_reads(lambda: NOW + timedelta(minutes=21)):
        shown = page(alice.get(url(order)))

    assert 'id="after-deadline">' in shown


def test_costs_at_most_five_statements(alice, order, django_assert_max_num_queries):
    pay(order, 10**8)
    alice.get(url(order))

    with django_assert_max_num_queries(5):
        alice.get(url(order))


def test_links_each_transaction_to_the_explorer_of_its_coin(alice, order, settings):
    pay(order, 10**8)

    assert "litecoinspace.org" not in page(alice.get(url(order)))  # play money is in no explorer
    settings.SITE_MODE = "live"
    assert f'href="https://litecoinspace.org/tx/{"ab" * 32}"' in page(alice.get(url(order)))


def test_offers_the_link_as_a_mail_to_oneself(alice, order):
    assert f"mailto:?subject={order.reference}&amp;body=http%3A%2F%2Ftestserver" in page(alice.get(url(order)))


def test_offers_all_of_the_deposit_back_when_our_reserve_stays_empty(alice, order):
    pay(order, order.send_minor)
    spendable = get_floor_balance(kind="chain:spendable", asset=order.get_asset)
    with transaction.atomic():
        post_entry(reserve_entry(purpose="elsewhere", amount=spendable, at=NOW))
    request_order_payout(reference=order.reference, at=NOW)
    shown = page(alice.get(url(order)))
    assert "Waiting for our reserve" in shown
    assert "Since 23.11.2026 12:00 UTC." in shown
    assert "If it has not gone by then, you can have your deposit back in full." in shown
    assert "below you can have your deposit back" not in shown

    offer_refunds(at=NOW + timedelta(hours=7))

    shown = page(alice.get(url(order)))
    assert "We could not fill our reserve in time" in shown
    assert "<strong>2 LTC</strong>, all of it" in shown


@pytest.mark.parametrize(
    ("problem", "title", "russian"),
    [
        ("ceiling: x", "Our payment to you waits for an approval", "Наша выплата вам ждёт одобрения"),
        ("frozen: x", "Payments are stopped for a check", "Выплаты остановлены для проверки"),
        ("node_silent: x", "A network cannot be reached at the moment", "Сеть сейчас недоступна"),
    ],
)
def test_says_what_keeps_a_payout_and_never_blames_the_reserve_for_a_chain(alice, order, problem, title, russian):
    pay(order, order.send_minor)
    request_order_payout(reference=order.reference, at=NOW)
    Payout.objects.update(problem=problem)

    shown = page(alice.get(url(order)))
    assert title in shown
    assert "reserve" not in shown.split('id="status-title"')[1].split("</section>")[0]
    assert "Until 23.11.2026 18:00 UTC at the latest." in shown
    assert russian in page(alice.get(f"/ru/order/{order.reference}/"))

    offer_refunds(at=NOW + timedelta(hours=7))
    shown = page(alice.get(url(order)))
    assert "have your deposit back in full below" in shown
    assert "Send it back" in shown
