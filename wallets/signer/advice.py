"""What crosses the border between a worker and the signer: plain values that can be written as JSON, nothing else."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, Self

Action = Literal["pay", "outbid", "reopen"]


@dataclass(frozen=True, slots=True)
class Advice:
    """What the worker was told by its node before it asked for one signature. The signer believes none of it blindly.

    Fees are in minor units, per virtual byte or per gas. `in_mempool` lists those of our own unmined transactions
    that the node holds now.
    """

    chain: str
    chain_id: int
    fee_rate_minor: int
    relay_rate_minor: int  # below it nodes pass nothing on
    base_minor: int  # 0 on chains with outputs, as the next three
    priority_minor: int
    gas: int  # what a plain payment to this payout's address needs
    first_nonce: int | None  # next nonce of the house's sender by mined transactions
    balance_minor: int | None  # what the house's sender holds, by mined transactions
    in_mempool: tuple[str, ...]
    at_iso: str  # the worker's clock
    by: str = "machine"  # who asks; a person's name, with the reason, for what a machine must not decide
    because: str = ""

    @property
    def has_nonces(self) -> bool:
        return self.first_nonce is not None

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.at_iso)

    def as_json(self) -> dict[str, Any]:
        """Return the values as JSON knows them; `from_json` reads them back."""
        return asdict(self) | {"in_mempool": list(self.in_mempool)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Raises: TypeError for missing or unknown fields."""
        return cls(**{**fields, "in_mempool": tuple(fields["in_mempool"])})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request: `attempt_id` of what was signed and stored, else a stable `code` with its words."""

    attempt_id: int | None = None
    code: str = ""
    words: str = ""

    @property
    def signed(self) -> bool:
        return self.attempt_id is not None

    @property
    def problem(self) -> str:
        """What a person reads in Payout.problem: the code first, so that programs can tell reasons apart."""
        return f"{self.code}: {self.words}"[:300] if self.code else ""

    def as_json(self) -> dict[str, Any]:
        """Return the values as JSON knows them; `from_json` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Raises: TypeError for missing or unknown fields."""
        return cls(**fields)
