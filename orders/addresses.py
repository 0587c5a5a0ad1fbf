"""Addresses given after opening: the payout address while it is missing, the refund address once."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.locks import lock_rows
from orders import states
from orders.actions import may_set_payout_address, may_set_refund_address
from orders.models import Order
from orders.reasons import Reason
from orders.transition import note
from orders.turn import machines_turn
from wallets.addresses import check_customer_address, refuse_own_addresses
from wallets.models import Deposit


class AddressFrozen(DomainError):
    code = "address_frozen"
    message = _("The payout address can no longer be changed: the deposit has been seen.")


class RefundAddressSet(DomainError):
    code = "refund_address_set"
    message = _("This order already has a refund address. It can only be changed through support.")


def set_payout_address(*, order_reference: str, address: str, at: datetime, actor: str) -> Order:
    """Set the payout address, or change it while nothing was paid. A missing one may be set at any time.

    Locks the order. Safe to repeat with the same address. Raises: Order.DoesNotExist, AddressInvalid and kin,
    AddressIsOurs, AddressFrozen.
    """
    with transaction.atomic():
        order = _lock(order_reference)
        target = check_customer_address(chain=order.get_asset.network, text=address, field="address")
        if target == order.payout_address:
            return order
        given = bool(order.payout_address)
        paid = given and Deposit.objects.filter(owner_ref=order.reference).exists()
        if not may_set_payout_address(order.state, given=given, paid=paid):
            raise AddressFrozen
        refuse_own_addresses(chain_addresses={"address": (order.get_asset.network, target)})
        order.payout_address = target
        held = order.hold_reason == states.ADDRESS
        goes_on = held and order.exception != states.REORG
        note(
            order,
            actor=actor,
            reason=Reason.PAYOUT_ADDRESS_SET,
            at=at,
            hold=states.NO_HOLD if held else None,
            turn=machines_turn(at) if goes_on else None,
            also=("payout_address",),
        )
        return order


def set_refund_address(*, order_reference: str, address: str, at: datetime, actor: str) -> Order:
    """Set the refund address, once. Locks the order. Safe to repeat with the same address.

    Raises: Order.DoesNotExist, AddressInvalid and kin, AddressIsOurs, RefundAddressSet.
    """
    with transaction.atomic():
        order = _lock(order_reference)
        target = check_customer_address(chain=order.send_asset.network, text=address, field="address")
        if target == order.refund_address:
            return order
        if not may_set_refund_address(given=bool(order.refund_address)):
            raise RefundAddressSet
        refuse_own_addresses(chain_addresses={"address": (order.send_asset.network, target)})
        order.refund_address = target
        note(order, actor=actor, reason=Reason.REFUND_ADDRESS_SET, at=at, also=("refund_address",))
        return order


def _lock(reference: str) -> Order:
    (orders,) = lock_rows(Order.objects.filter(reference=reference).select_related("send_asset", "get_asset"))
    if not orders:
        raise Order.DoesNotExist
    order: Order = orders[0]
    return order
