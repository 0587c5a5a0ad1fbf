"""The one reader of the process's variables, for the settings and for commands."""

from typing import Any

import environ


class Environment(environ.FileAwareEnv):  # type: ignore[misc]  # environ has no types
    """django-environ's reader, which takes NAME_FILE for the file that holds NAME, but without its references.

    There `$OTHER` as a value means the value of OTHER. A password may begin with `$`: here a value is what it is.
    """

    def get_value(self, var: str, cast: Any = None, **named: Any) -> Any:
        value = self.ENVIRON.get(f"{self.prefix}{var}")
        if isinstance(value, str) and value.startswith("$"):
            return self.parse_value(value, cast)
        return super().get_value(var, cast=cast, **named)
