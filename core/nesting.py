"""How deep JSON is nested, found without recursion, so that hostile text is refused before a parser meets it.

The standard parser guards itself by the interpreter's recursion limit, but a library in the process may raise that limit
past what the stack holds (py_ecc does); then the parser does not refuse, it crashes the process.
"""

import re

MAX_DEPTH = 100

_STRING = re.compile(rb'"[^"]*"?')  # once nothing in it is escaped
_NOT_MARKS = bytes(set(range(256)) - set(b'[]{}"'))


def is_too_deep(body: bytes, *, limit: int = MAX_DEPTH) -> bool:
    """Say whether brackets outside strings are open more than `limit` deep anywhere in `body`, which is UTF-8.

    A few passes, each over every byte once, without a list of pieces: escaped backslashes go, then escaped quotes, then
    all but brackets and quotes, then strings. A backslash outside strings is no JSON and a quote that is never closed
    neither: there the parser stops, so what is counted after it harms nobody.
    """
    marks = body.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, _NOT_MARKS)
    depth = 0
    for mark in _STRING.sub(b"", marks):
        if mark in b"[{":
            depth += 1
            if depth > limit:
                return True
        else:
            depth -= 1
    return False
