"""How deep JSON is nested, found without recursion, so that hostile text is refused before a parser meets it.

The standard parser guards itself by the interpreter's recursion limit, but a library in the process may raise that limit
past what the stack holds (py_ecc does); then the parser does not refuse, it crashes the process.
"""

import re

MAX_DEPTH = 100

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"')
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def is_too_deep(body: bytes, *, limit: int = MAX_DEPTH) -> bool:
    """Say whether brackets outside strings are open more than `limit` deep anywhere in `body`."""
    depth = 0
    for mark in _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS):
        if mark in b"[{":
            depth += 1
            if depth > limit:
                return True
        else:
            depth -= 1
    return False
