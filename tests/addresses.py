"""Deposit addresses as the opening of an order stores them, for tests that have no order."""

from datetime import datetime

from wallets.addresses import deposit_address, take_place
from wallets.models import Address


def take_address(*, chain: str, owner_ref: str, at: datetime) -> Address:
    """Store the next deposit address of `chain` for whatever `owner_ref` names."""
    address = deposit_address(chain=chain, place=take_place(chain), owner_ref=owner_ref, at=at)
    address.save(force_insert=True)
    return address
