"""core.client.client_ref: pages and the API count the same caller as one, and the row does not name them."""

from django.test import RequestFactory

from core.client import client_ref


def test_one_caller_is_one_whatever_they_use_and_no_address_is_kept():
    page, api = (
        RequestFactory(REMOTE_ADDR="203.0.113.7").get("/en/"),
        RequestFactory(REMOTE_ADDR="203.0.113.7").get("/api/"),
    )
    other = RequestFactory(REMOTE_ADDR="203.0.113.8").get("/en/")

    assert client_ref(page) == client_ref(api) != client_ref(other)
    assert "203.0.113.7" not in client_ref(page)


def test_a_caller_cannot_claim_another_address(settings):
    plain = RequestFactory(REMOTE_ADDR="203.0.113.7").get("/")
    claimed = RequestFactory(REMOTE_ADDR="203.0.113.7", HTTP_X_FORWARDED_FOR="198.51.100.1").get("/")
    assert client_ref(plain) == client_ref(claimed)

    settings.TRUSTED_PROXIES = 1
    assert client_ref(plain) != client_ref(claimed)
