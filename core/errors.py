"""The one base of errors the product expects: a stable code for machines, a sentence for people.

Each error class lives beside the code that raises it; entry points (API, pages, commands) only render it.
"""

from typing import Any

from django.utils.functional import Promise


class DomainError(Exception):
    """An anticipated refusal. Subclasses set `code` (stable, English, snake_case) and `message`.

    `field` names the input at fault, if one is. `context` fills the `%(name)s` places of the message, so that the
    sentence can be translated first and filled in afterwards; it must hold nothing secret.
    """

    code: str = "refused"
    message: str | Promise = ""
    field: str | None = None

    def __init__(
        self, message: str | Promise | None = None, *, code: str | None = None, field: str | None = None, **context: Any
    ) -> None:
        if message is not None:
            self.message = message
        if code is not None:
            self.code = code
        if field is not None:
            self.field = field
        self.context = context
        super().__init__(self.code)

    def __str__(self) -> str:
        text = str(self.message) or self.code
        return text % self.context if self.context else text
