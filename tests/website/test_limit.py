"""The pages' own questions share the API's limit; looking at pages does not use it up."""

import pytest

from tests.api.conftest import forget_requests
from tests.website.conftest import ETH_ADDRESS

pytestmark = pytest.mark.usefixtures("site")

QUESTIONS = [
    ("get", "/en/quote/", {"pair": "ETHLTC", "side": "send", "amount": "2"}),
    ("post", "/en/address-check/", {"pair": "ETHLTC", "field": "payout_address", "address": ETH_ADDRESS}),
    ("get", "/en/history/", {"pair": "ETHLTC"}),
]


@pytest.fixture(autouse=True)
def _three_a_minute(settings):
    settings.API_REQUESTS_PER_MINUTE = 3
    forget_requests()
    yield
    forget_requests()


@pytest.mark.parametrize(("method", "path", "asked"), QUESTIONS)
def test_refuses_the_fourth_question_of_a_minute_in_words(alice, method, path, asked):
    answers = [getattr(alice, method)(path, asked) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json()["code"] == "rate_limited"
    assert "Too many requests" in answers[3].json()["message"]
    assert 1 <= int(answers[3]["Retry-After"]) <= 60
    assert "max-age=10" not in answers[3].get("Cache-Control", "")


def test_questions_count_with_the_api_and_a_chosen_forwarded_address_changes_nothing(alice):
    for n in range(3):
        alice.get("/en/api/v1/pair/", headers={"x-forwarded-for": f"198.51.100.{n}"})

    method, path, asked = QUESTIONS[0]
    assert getattr(alice, method)(path, asked, headers={"x-forwarded-for": "198.51.100.9"}).status_code == 429


def test_pages_stay_open_when_the_questions_are_used_up(alice, open_page):
    order = open_page(alice)
    for _ in range(5):
        alice.get("/en/quote/", QUESTIONS[0][2])

    for path in ("/en/", f"/en/order/{order.reference}/", f"/en/order/{order.reference}/live/"):
        assert alice.get(path).status_code == 200
