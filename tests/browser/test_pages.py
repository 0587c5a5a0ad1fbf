"""The pages as people use them: on a phone, by keyboard, without scripts, in the dark."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from orders.models import Order
from orders.quotes import make_quote
from tests.orders.conftest import NOW
from tests.website.conftest import ETH_ADDRESS, LTC_ADDRESS
from tests.website.test_order import pay
from ticker.models import MarketRate

pytestmark = pytest.mark.browser

ORDER_PAGE = re.compile(r"/en/order/O[0-9A-Z]{16}/$")


def open_order(person):
    person.visit("/en/")
    person.page.fill("#payout_address", ETH_ADDRESS)
    person.page.get_by_role("button", name="Exchange at this price").click()
    expect(person.page).to_have_url(ORDER_PAGE)
    return Order.objects.latest("pk")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_pages_fit_the_screen_and_exclude_nobody(visitor, width, scheme):
    person = visitor(width=width, scheme=scheme)
    for path in ("/en/", "/ru/", "/en/nothing-here/"):
        person.visit(path)
        assert (path, person.overhang(), person.barriers()) == (path, 0, [])
    order = open_order(person)
    assert (person.overhang(), person.barriers()) == (0, [])
    pay(order, order.send_minor // 2)
    person.page.reload()
    assert (person.overhang(), person.barriers()) == (0, [])
    stranger = visitor(width=width, scheme=scheme)
    stranger.visit(f"/en/order/{order.reference}/")
    assert (stranger.overhang(), stranger.barriers()) == (0, [])


def test_pages_ask_nobody_else_and_break_no_rule_of_their_own(visitor):
    person = visitor()
    open_order(person)
    person.page.wait_for_timeout(500)

    assert len(person.requests) > 5
    assert person.foreign_requests() == []
    assert person.complaints == []


def test_opens_an_order_by_keyboard_alone(visitor):
    person = visitor()
    person.visit("/en/")
    keys = person.page.keyboard
    person.page.locator("#send").focus()
    keys.press("Control+A")
    keys.type("2")
    expect(person.page.locator("#get")).to_have_value(make_quote(pair="ETHLTC", send="2", at=NOW).get.format())
    for _ in range(12):
        if person.page.evaluate("document.activeElement.id") == "payout_address":
            break
        keys.press("Tab")
    keys.type(ETH_ADDRESS)
    keys.press("Enter")

    expect(person.page).to_have_url(ORDER_PAGE)
    assert Order.objects.get().send_minor == 2 * 10**8


def test_shows_where_the_keyboard_is(visitor):
    person = visitor()
    person.visit("/en/")
    person.page.keyboard.press("Tab")

    expect(person.page.get_by_text("Skip to the content")).to_be_in_viewport()
    person.page.keyboard.press("Tab")

    assert person.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_opens_an_order_without_scripts(visitor):
    person = visitor(scripts=False)
    order = open_order(person)

    expect(person.page.locator("#pay-address")).to_have_text(order.deposit_address)


def test_shows_a_new_price_before_it_opens_an_order_without_scripts(visitor):
    person = visitor(scripts=False)
    person.visit("/en/")
    person.page.fill("#send", "3")
    person.page.fill("#payout_address", ETH_ADDRESS)
    person.page.get_by_role("button", name="Exchange at this price").click()

    expect(person.page.get_by_text("The amount was changed")).to_be_visible()
    assert not Order.objects.exists()
    person.page.get_by_role("button", name="Exchange at this price").click()
    expect(person.page).to_have_url(ORDER_PAGE)
    assert Order.objects.get().send_minor == 3 * 10**8


def test_says_what_is_wrong_while_it_is_typed(visitor):
    person = visitor()
    person.visit("/en/")
    person.page.fill("#send", "0.0001")
    person.page.fill("#payout_address", LTC_ADDRESS)

    expect(person.page.locator("#send-error")).to_contain_text("The smallest amount is")
    expect(person.page.locator("#payout_address-error")).to_contain_text("Enter a valid Ethereum address")


def test_takes_the_smallest_amount_with_one_tap(visitor):
    person = visitor(width=360)
    person.visit("/en/")
    person.page.get_by_role("button", name="Min").click()

    expect(person.page.locator("#send")).to_have_value(
        re.sub("[^0-9.]", "", person.page.locator("[data-bound=min]").inner_text())
    )


def test_shows_news_without_a_reload_and_says_them(visitor):
    person = visitor()
    order = open_order(person)
    pay(order, order.send_minor // 2)

    expect(person.page.locator("#status-title")).to_have_text(
        "Your deposit is here and needs your decision", timeout=10_000
    )
    expect(person.page.locator("[data-spoken]")).to_contain_text("needs your decision")


def test_opens_again_by_its_link_on_another_device(visitor):
    alice, phone = visitor(), visitor(width=360)
    order = open_order(alice)
    link = alice.page.locator("#owner-link").input_value()
    phone.page.goto(link)

    expect(phone.page.locator("#pay-address")).to_have_text(order.deposit_address)
    assert "#" not in phone.page.url


def test_sends_a_wrong_deposit_back(visitor):
    person = visitor(width=360)
    order = open_order(person)
    pay(order, order.send_minor // 2)
    person.page.reload()
    person.page.get_by_label("Your Litecoin address").first.fill(LTC_ADDRESS)
    person.page.get_by_label("The same address again").fill(LTC_ADDRESS)
    person.page.get_by_role("button", name="Send it back").click()

    expect(person.page.locator("#status-title")).to_have_text("Your refund is on its way")


def test_draws_what_was_recorded_and_says_it_as_a_table(visitor):
    person = visitor()
    person.visit("/en/")
    expect(person.page.get_by_text("No price has been recorded in this period yet.")).to_be_visible()
    for minutes, litecoin in ((30, "80"), (20, "79"), (10, "81")):
        for market, price in (("LTC-USD", litecoin), ("ETH-USD", "2500")):
            at = NOW - timedelta(minutes=minutes)
            MarketRate.objects.create(market_id=market, bid=Decimal(price), ask=Decimal(price), sources=["a"], at=at)
    person.visit("/en/")

    expect(person.page.locator("[data-chart] canvas")).to_be_visible()
    person.page.get_by_text("The same as a table").click()
    expect(person.page.locator("table tbody tr")).to_have_count(3)
    expect(person.page.locator("table tbody tr").first).to_contain_text("30.864198")
