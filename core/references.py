"""Public references: a letter and 16 Crockford base32 characters (80 random bits), read without regard to case.

Format: https://www.crockford.com/base32.html (no I, L, O, U; on reading I and L count as 1, O as 0).
"""

import re
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ = str.maketrans({"I": "1", "L": "1", "O": "0"})
_BODY = re.compile(f"[{ALPHABET}]{{16}}", re.ASCII)


def make_reference(letter: str) -> str:
    """Return a new reference that cannot be guessed: `letter` + 16 characters."""
    return letter + "".join(secrets.choice(ALPHABET) for _ in range(16))


def read_reference(text: str, letter: str) -> str | None:
    """Return the canonical form of a reference as a person typed it, or None when it cannot be one."""
    text = text.strip()
    # "ſ".upper() is "S": other alphabets are refused before the case is folded.
    if not text.isascii() or not text.upper().startswith(letter):
        return None
    body = text[len(letter) :].upper().translate(_READ)
    return letter + body if _BODY.fullmatch(body) else None
