"""Signing in to the admin site: tries are counted before a password is hashed, and sessions end."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client

from accounts.models import User
from accounts.sessions import LONGEST_S
from accounts.sign_in import TRIES_OF_ACCOUNT, TRIES_OF_NETWORK, WINDOW_S
from core import clock
from tests.api.conftest import forget_requests
from tests.website.conftest import account_keys, site

__all__ = ["account_keys", "site"]
pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
LOGIN = "/admin/login/?next=/admin/"


@pytest.fixture(autouse=True)
def _fresh_counters() -> Iterator[None]:
    forget_requests()
    yield
    forget_requests()


@pytest.fixture
def operator() -> User:
    return User.objects.create_superuser(username="operator", password=PASSWORD)


def sign_in(browser: Client, *, name: str = "operator", password: str = PASSWORD, address: str = "203.0.113.7") -> Any:
    return browser.post(LOGIN, {"username": name, "password": password}, REMOTE_ADDR=address)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every password that was hashed: what costs the processor."""
    seen: list[str] = []
    encode = MD5PasswordHasher.encode

    def noted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        seen.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", noted)
    return seen


def test_the_right_password_signs_in(operator: User) -> None:
    assert sign_in(Client()).status_code == 302


@pytest.mark.parametrize("name", ["operator", "nobody"])
def test_a_network_has_its_tries_and_then_nothing_is_hashed(operator: User, hashed: list[str], name: str) -> None:
    for _ in range(TRIES_OF_NETWORK):
        assert "Too many tries" not in sign_in(Client(), name=name, password="wrong").content.decode()
    assert "wrong" in hashed
    hashed.clear()

    refused = sign_in(Client())

    assert "Too many tries" in refused.content.decode()
    assert hashed == []
    assert sign_in(Client(), address="198.51.100.1").status_code == 302


def test_an_account_has_its_tries_from_all_networks_together(operator: User, hashed: list[str]) -> None:
    for n in range(TRIES_OF_ACCOUNT):
        sign_in(Client(), name="OPERATOR" if n % 2 else "operator", password="wrong", address=f"198.51.100.{n}")
    hashed.clear()

    assert "Too many tries" in sign_in(Client(), address="203.0.113.99").content.decode()
    assert hashed == []


def test_it_is_over_after_a_window(operator: User) -> None:
    for _ in range(TRIES_OF_NETWORK + 1):
        sign_in(Client(), password="wrong")
    later = clock.now() + timedelta(seconds=WINDOW_S)

    with clock.clock_reads(lambda: later):
        assert sign_in(Client()).status_code == 302


def test_addresses_of_one_ipv6_network_share_their_tries(operator: User) -> None:
    for n in range(TRIES_OF_NETWORK):
        sign_in(Client(), password="wrong", address=f"2001:db8:1:2::{n + 1:x}")

    assert "Too many tries" in sign_in(Client(), address="2001:db8:1:2:ffff::1").content.decode()


def test_a_session_ends_after_a_working_day_however_busy(operator: User) -> None:
    browser, began = Client(), clock.now()
    sign_in(browser)
    assert browser.get("/admin/").status_code == 200

    for seconds, status in ((LONGEST_S, 200), (LONGEST_S + 2, 302)):
        at = began + timedelta(seconds=seconds)
        with clock.clock_reads(lambda at=at: at):
            assert browser.get("/admin/").status_code == status
    assert browser.get("/admin/").status_code == 302


def test_a_session_ends_after_half_an_hour_of_silence(operator: User, settings: Any) -> None:
    browser = Client()
    answer = sign_in(browser)

    assert browser.session.get_expiry_age() == 30 * 60
    assert answer.cookies["sessionid"]["max-age"] == ""  # and with the browser
    assert settings.SESSION_SAVE_EVERY_REQUEST  # each request begins the half hour anew


def test_a_customer_has_no_session(site: None) -> None:
    assert "sessionid" not in Client().get("/en/").cookies


@pytest.mark.parametrize("password", ["short", "password1234", "123456789012", "operator-1234"])
def test_a_weak_password_is_none(password: str) -> None:
    with pytest.raises(ValidationError):
        validate_password(password, User(username="operator-1234"))


def test_signing_in_by_program_is_not_counted(operator: User) -> None:
    for _ in range(TRIES_OF_NETWORK + 1):
        assert authenticate(username="operator", password=PASSWORD)
