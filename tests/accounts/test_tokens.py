from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import AccessToken, User
from accounts.tokens import find_user, make_anonymous_owner, repeat_token
from core.tokens import hash_token

AT = datetime(2026, 1, 2, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def create_anonymous_owner(*, nonce, at):
    user, row, text = make_anonymous_owner(nonce=nonce, at=at)
    user.save(force_insert=True)
    row.save()
    return user, text


def issue_token(*, user, nonce, at):
    text = repeat_token(user_id=user.pk, nonce=nonce)
    AccessToken.objects.create(user=user, token_hash=hash_token(text), nonce=nonce, created_at=at)
    return text


def test_an_anonymous_owner_is_found_by_its_token_in_one_statement():
    user, token = create_anonymous_owner(nonce="n", at=AT)
    with CaptureQueriesContext(connection) as statements:
        assert find_user(token) == user
    assert len(statements) == 1
    assert user.is_anonymous_owner
    assert not user.has_usable_password()
    assert not user.check_password("")


def test_the_token_is_made_again_for_a_replay_but_not_read_from_the_database():
    user, token = create_anonymous_owner(nonce="n", at=AT)
    assert repeat_token(user_id=user.pk, nonce="n") == token
    assert repeat_token(user_id=user.pk + 1, nonce="n") != token
    assert token not in str(list(AccessToken.objects.values_list()))


@pytest.mark.parametrize("wrong", ["", "x", "0" * 64, "\ud800", "\x00"])
def test_an_unknown_token_is_nobody(wrong):
    create_anonymous_owner(nonce="n", at=AT)
    assert find_user(wrong) is None


def test_the_stored_hash_opens_nothing():
    create_anonymous_owner(nonce="n", at=AT)
    assert find_user(AccessToken.objects.get().token_hash) is None


def test_a_revoked_token_and_an_inactive_user_are_nobody():
    user, token = create_anonymous_owner(nonce="n", at=AT)
    other = issue_token(user=user, nonce="m", at=AT)
    AccessToken.objects.filter(nonce="n").update(revoked_at=AT)
    assert find_user(token) is None
    assert find_user(other) == user
    User.objects.update(is_active=False)
    assert find_user(other) is None


def test_a_nonce_serves_once():
    user, _ = create_anonymous_owner(nonce="n", at=AT)
    with pytest.raises(IntegrityError), transaction.atomic():
        issue_token(user=user, nonce="n", at=AT)
