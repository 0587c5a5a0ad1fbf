"""The catalogue of assets, read from memory: reference data that only a release changes."""

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.models import Asset
from core.snapshot import Snapshot


class AssetUnknown(DomainError):
    code = "asset_unknown"
    message = _("There is no asset “%(asset)s”.")


def _load() -> dict[str, Asset]:
    return {asset.code: asset for asset in Asset.objects.order_by("code")}


_catalogue = Snapshot(_load, max_age_s=60)


def get_asset(code: str) -> Asset:
    """Return the asset with this exact code. Raises: AssetUnknown."""
    try:
        return _catalogue.get()[code]
    except KeyError:
        raise AssetUnknown(asset=code[:12]) from None


def list_assets() -> list[Asset]:
    """Return all assets by code; there are a handful."""
    return list(_catalogue.get().values())


def confirmations_required(asset: Asset) -> int:
    """Return how deep a deposit of this asset must be to count; the demo's own chains need fewer."""
    required = asset.demo_confirmations if settings.SITE_MODE == "demo" else asset.confirmations_required
    if required is None:
        raise AssetUnknown(asset=asset.code)
    return required
