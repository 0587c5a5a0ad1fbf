"""Secrets handed to customers: HMACs that can be made again from the row, so that a repeated request answers the same.

Only a hash of a token is stored; reading the database does not let anyone act for a customer (MONEY rule: owner tokens).
"""

import hashlib
import hmac

from django.conf import settings


def make_token(purpose: str, row_id: str, nonce: str) -> str:
    """Return the token of a row: 64 hex characters, the same for the same purpose, row and nonce."""
    message = f"{purpose}:{row_id}:{nonce}".encode()
    return hmac.new(settings.TOKEN_KEY.encode(), message, hashlib.sha256).hexdigest()


def hash_token(token: str) -> str:
    """Return what is stored and looked up: SHA-256 of the token, hex. Tokens are random enough to need no salt.

    Takes any text a client may send, lone surrogates out of JSON included.
    """
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def token_matches(token: str, stored_hash: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(hash_token(token), stored_hash)
