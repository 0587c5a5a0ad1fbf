"""One small machine for every state table: it says whether a move is allowed and raises when it is not.

The tables themselves live in the `states.py` of the app whose rows they describe.
"""

from collections.abc import Mapping
from dataclasses import dataclass


class IllegalTransition(Exception):
    """A move that the table does not list: always a bug or a lost race, never something to swallow."""


@dataclass(frozen=True, slots=True)
class StateTable:
    """`moves` maps each state to the states that may follow it; a state without followers is final."""

    name: str
    initial: str
    moves: Mapping[str, frozenset[str]]

    def __post_init__(self) -> None:
        unknown = {target for targets in self.moves.values() for target in targets} - set(self.moves)
        if unknown or self.initial not in self.moves:
            raise ValueError(f"{self.name}: unknown states {sorted(unknown)} or initial {self.initial}")

    @property
    def states(self) -> tuple[str, ...]:
        return tuple(self.moves)

    def is_final(self, state: str) -> bool:
        return not self.moves[state]

    def check(self, source: str, target: str) -> None:
        """Raise IllegalTransition unless `source` may become `target`."""
        if target not in self.moves.get(source, frozenset()):
            raise IllegalTransition(f"{self.name}: {source} may not become {target}")
