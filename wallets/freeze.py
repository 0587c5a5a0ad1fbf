"""The switch that stops payouts: per asset, for all, or for those that one asset's deposits fund."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from core.assets import list_assets
from core.errors import DomainError
from wallets.models import Freeze

ALL = "ALL"


class FreezeNotOpen(DomainError):
    code = "freeze_not_open"
    message = "Nothing is frozen under “%(scope)s”."


class FreezeAmbiguous(DomainError):
    code = "freeze_ambiguous"
    message = "Several things have frozen “%(scope)s”. Name one by its number: %(known)s."


class ScopeUnknown(DomainError):
    code = "scope_unknown"
    message = "“%(scope)s” would stop nothing. Name one of: %(known)s."


def funded_from(asset_code: str) -> str:
    """Name the scope of payouts that deposits of this asset fund."""
    return f"from:{asset_code}"


def read_scope(text: str) -> str:
    """Return the scope that a person typed, in any case. Raises: ScopeUnknown for what no payout is stopped by."""
    codes = [asset.code for asset in list_assets() if asset.is_crypto]
    known = [ALL, *codes, *map(funded_from, codes)]
    scope = next((scope for scope in known if scope.lower() == text.strip().lower()), "")
    if not scope:
        raise ScopeUnknown(scope=text[:40], known=", ".join(known))
    return scope


def freeze(*, scope: str, reason: str, at: datetime, by: str) -> Freeze:
    """Stop payouts of `scope`; an open freeze with the same scope and reason is returned as it is."""
    with transaction.atomic():
        return ensure_frozen(scope=scope, reason=reason, at=at, by=by)


def ensure_frozen(*, scope: str, reason: str, at: datetime, by: str) -> Freeze:
    """Stop payouts of `scope` inside the caller's transaction; an open freeze with the same scope and reason stands."""
    found = Freeze.objects.filter(scope=scope, reason=reason[:300], lifted_at=None).first()
    return found or Freeze.objects.create(scope=scope, reason=reason[:300], frozen_at=at, frozen_by=by)


def list_open() -> list[Freeze]:
    """Return the freezes that are open, oldest first."""
    return list(Freeze.objects.filter(lifted_at=None).order_by("pk"))


def find_open(*, scope: str, reason: str = "", number: int | None = None) -> Freeze:
    """Return the one open freeze of `scope`, of several that with this `reason` or `number`.

    Raises: FreezeNotOpen, FreezeAmbiguous.
    """
    rows = Freeze.objects.filter(scope=scope, lifted_at=None)
    rows = rows.filter(reason=reason[:300]) if reason else rows
    found = list((rows.filter(pk=number) if number is not None else rows).order_by("pk"))
    if not found:
        raise FreezeNotOpen(scope=scope)
    if len(found) > 1:
        raise FreezeAmbiguous(scope=scope, known=", ".join(f"{row.pk} ({row.reason})" for row in found))
    return found[0]


def unfreeze(*, scope: str, because: str, at: datetime, by: str, reason: str = "", number: int | None = None) -> Freeze:
    """Lift one open freeze, naming why (after a restore: the reconciliation).

    `scope` with one open freeze is enough; where there are several, each is lifted by its own `reason` or `number`, since
    one that is looked into says nothing of the others. Raises: FreezeNotOpen, FreezeAmbiguous.
    """
    with transaction.atomic():
        row = find_open(scope=scope, reason=reason, number=number)
        row.lifted_at, row.lifted_by, row.lifted_because = at, by, because[:300]
        if not Freeze.objects.filter(pk=row.pk, lifted_at=None).update(
            lifted_at=at, lifted_by=by, lifted_because=because[:300]
        ):
            raise FreezeNotOpen(scope=scope)
        return row


def frozen_scopes() -> frozenset[str]:
    """Return the scopes that are frozen now. One statement."""
    return frozenset(Freeze.objects.filter(lifted_at=None).values_list("scope", flat=True))


def is_frozen(asset_code: str, funding: Iterable[str], scopes: frozenset[str]) -> bool:
    """Say whether a payout of `asset_code`, funded by deposits of `funding`, is stopped by `scopes`."""
    return bool(scopes & {ALL, asset_code, *(funded_from(code) for code in funding)})
