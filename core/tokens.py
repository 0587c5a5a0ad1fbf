"""Secrets handed to customers: HMACs that can be made again from the row, so that a repeated request answers the same.

Only a hash of a token is stored; reading the database does not let anyone act for a customer (MONEY rule: owner tokens).
"""

import hashlib
import hmac

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def make_token(purpose: str, row_id: str, nonce: str) -> str:
    """Return the token of a row: 64 hex characters, the same for the same purpose, row and nonce.

    Raises: ImproperlyConfigured in a process that was not given TOKEN_KEY.
    """
    message = f"{purpose}:{row_id}:{nonce}".encode()
    if not settings.TOKEN_KEY:
        raise ImproperlyConfigured("TOKEN_KEY is not set: tokens are made and read where the pages are, in web alone.")
    return hmac.new(settings.TOKEN_KEY.encode(), message, hashlib.sha256).hexdigest()


def hash_token(token: str) -> str:
    """Return what is stored and looked up: SHA-256 of the token, hex. Tokens are random enough to need no salt.

    Takes any text a client may send, lone surrogates out of JSON included.
    """
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def token_matches(token: str, stored_hash: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(hash_token(token), stored_hash)
