"""The front page: a price before anything is typed, and an order only at the price that was shown."""

from datetime import timedelta

import pytest

from core import clock
from orders.models import Order
from tests.orders.conftest import NOW
from tests.website.conftest import ETH_ADDRESS, form_of

pytestmark = pytest.mark.usefixtures("site")


def page(answer):
    return answer.content.decode()


def test_shows_a_price_before_anything_is_typed(alice):
    answer = alice.get("/en/")

    assert answer.status_code == 200
    assert 'name="quote" value="' in page(answer)
    assert "1 ETH = 31." in page(answer)
    assert 'data-bound="min"' in page(answer)


def test_leads_from_the_bare_address_to_a_language(alice):
    assert alice.get("/", headers={"accept-language": "ru"})["Location"] == "/ru/"
    assert alice.get("/", headers={"accept-language": "en"})["Location"] == "/en/"


def test_answers_404_for_a_pair_that_does_not_exist(alice):
    answer = alice.get("/en/?pair=XXXYYY")

    assert answer.status_code == 404
    assert "There is nothing here" in page(answer)


def test_opens_an_order_at_the_price_on_the_page(alice):
    answer = alice.post("/en/order/", form_of("2"))

    order = Order.objects.get()
    assert answer["Location"] == f"/en/order/{order.reference}/"
    assert (order.send_minor, order.payout_address) == (2 * 10**8, ETH_ADDRESS)


def test_opens_one_order_when_the_button_is_pressed_twice(alice):
    posted = form_of("2")

    first, second = (alice.post("/en/order/", posted) for _ in range(2))

    assert first["Location"] == second["Location"]
    assert Order.objects.count() == 1


def test_shows_the_price_first_when_the_form_brings_none(alice):
    answer = alice.post("/en/order/", form_of("2", quote="", get=""))

    assert answer.status_code == 422
    assert "This is the price" in page(answer)
    assert ETH_ADDRESS in page(answer)
    assert not Order.objects.exists()


@pytest.mark.parametrize("change", [{"send": "3"}, {"get": "0.07"}])
def test_asks_again_when_the_amount_is_not_the_quoted_one(alice, change):
    answer = alice.post("/en/order/", form_of("2") | change)

    assert answer.status_code == 422
    assert "The amount was changed" in page(answer)
    assert not Order.objects.exists()


def test_asks_again_when_the_token_is_for_another_pair(alice):
    answer = alice.post("/en/order/", form_of("2") | {"pair": "LTCETH"})

    assert answer.status_code == 422
    assert not Order.objects.exists()


def test_names_what_is_wrong_with_an_address_beside_its_field(alice):
    answer = alice.post("/en/order/", form_of("2", payout_address=ETH_ADDRESS.swapcase().replace("X", "x")))

    assert answer.status_code == 422
    assert "checksum does not match" in page(answer)
    assert 'name="payout_address"' in page(answer).split("checksum does not match")[0]
    assert not Order.objects.exists()


def test_asks_for_a_missing_address(alice):
    answer = alice.post("/en/order/", form_of("2", payout_address=" "))

    assert "Enter the address that should receive your ETH" in page(answer)
    assert not Order.objects.exists()


def test_escapes_what_people_type(alice):
    answer = alice.post("/en/order/", form_of("2", payout_address="<script>alert(1)</script>"))

    assert "<script>alert" not in page(answer)


def test_reads_a_russian_decimal_comma(alice):
    answer = alice.get("/ru/quote/", {"pair": "ETHLTC", "side": "send", "amount": "1,5"})

    assert answer.json()["send"] == "1.5"


def test_does_not_guess_at_a_comma_in_english(alice):
    answer = alice.get("/en/quote/", {"pair": "ETHLTC", "side": "send", "amount": "1,000"})

    assert (answer.status_code, answer.json()["code"]) == (422, "amount_invalid")


def test_forbids_inline_scripts_and_foreign_hosts(alice):
    policy = alice.get("/en/")["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_says_on_every_page_that_this_is_a_demo(alice):
    assert "play money" in page(alice.get("/en/"))
    assert "play money" in page(alice.get("/en/nothing-here/"))


def test_pressing_again_after_the_price_ran_out_leads_to_the_order_it_opened(alice, bob):
    form = form_of()
    first = alice.post("/en/order/", form)

    with clock.clock_reads(lambda: NOW + timedelta(minutes=5)):
        again = alice.post("/en/order/", form)
        other = bob.post("/en/order/", form | {"payout_address": "0x8617E340B3D01FA5F11F306F4090FD50E238070D"})

    assert (again.status_code, again["Location"]) == (302, first["Location"])
    assert other.status_code == 422
    assert Order.objects.count() == 1
