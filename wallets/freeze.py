"""The switch that stops payouts: per asset, for all, or for those that one asset's deposits fund."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from core.errors import DomainError
from wallets.models import Freeze

ALL = "ALL"


class FreezeNotOpen(DomainError):
    code = "freeze_not_open"
    message = "Nothing is frozen under “%(scope)s”."


def funded_from(asset_code: str) -> str:
    """Name the scope of payouts that deposits of this asset fund."""
    return f"from:{asset_code}"


def freeze(*, scope: str, reason: str, at: datetime, by: str) -> Freeze:
    """Stop payouts of `scope`; an open freeze with the same scope and reason is returned as it is."""
    with transaction.atomic():
        found = Freeze.objects.filter(scope=scope, reason=reason[:300], lifted_at=None).first()
        return found or Freeze.objects.create(scope=scope, reason=reason[:300], frozen_at=at, frozen_by=by)


def unfreeze(*, scope: str, because: str, at: datetime, by: str) -> int:
    """Lift every open freeze of `scope`, naming why (after a restore: the reconciliation). Raises: FreezeNotOpen."""
    with transaction.atomic():
        lifted = Freeze.objects.filter(scope=scope, lifted_at=None).update(
            lifted_at=at, lifted_by=by, lifted_because=because[:300]
        )
    if not lifted:
        raise FreezeNotOpen(scope=scope)
    return lifted


def frozen_scopes() -> frozenset[str]:
    """Return the scopes that are frozen now. One statement."""
    return frozenset(Freeze.objects.filter(lifted_at=None).values_list("scope", flat=True))


def is_frozen(asset_code: str, funding: Iterable[str], scopes: frozenset[str]) -> bool:
    """Say whether a payout of `asset_code`, funded by deposits of `funding`, is stopped by `scopes`."""
    return bool(scopes & {ALL, asset_code, *(funded_from(code) for code in funding)})
