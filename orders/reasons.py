"""Why an order's event log has a line: every reason, with the words that people read in its place."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Reason(TextChoices):
    """What a transition records. The value is stored for ever; the label is for people, in their language."""

    OPENED = "opened", _("Order opened")
    DEPOSIT_SEEN = "deposit_seen", _("Deposit seen")
    DEPOSIT_GONE = "deposit_gone", _("Deposit no longer in the chain")
    MINED_AGAIN = "mined_again", _("Deposit back in the chain")
    CREDITED = "credited", _("Deposit confirmed and exchanged")
    DUST = "dust", _("Deposit too small to use or send back")
    NOT_PAID_IN_TIME = "not_paid_in_time", _("Payment time over")
    OVERDUE = "overdue", _("Handed to our team")
    PAYOUT_ADDRESS_SET = "payout_address_set", _("Payout address given")
    REFUND_ADDRESS_SET = "refund_address_set", _("Refund address given")
    WAITING_LIQUIDITY = "waiting_liquidity", _("Waiting for our reserve")
    REFUND_OFFERED = "refund_offered", _("Refund offered, free of charge")
    PAYOUT_REQUESTED = "payout_requested", _("Payout ordered")
    PAYOUT_SENT = "payout_sent", _("Payout sent")
    PAYOUT_CONFIRMED = "payout_confirmed", _("Payout confirmed")
    PAYOUT_REJECTED = "payout_rejected", _("Payout stopped before sending")
    PAYOUT_REVERTED = "payout_reverted", _("Payout failed on the chain")
    PAYOUT_IN_DOUBT = "payout_in_doubt", _("Payout being checked by our team")
    PAYOUT_REDIRECTED = "payout_redirected", _("Payout goes to another address")
    REFUND_ASKED = "refund_asked", _("Refund asked for")
    REFUND_ORDERED = "refund_ordered", _("Refund ordered")
    REFUND_REFUSED = "refund_refused", _("Refund could not be made")
    REFUND_CONFIRMED = "refund_confirmed", _("Refund confirmed")
    REFUND_REJECTED = "refund_rejected", _("Refund stopped before sending")
    REFUND_REVERTED = "refund_reverted", _("Refund failed on the chain")
    REFUND_REDIRECTED = "refund_redirected", _("Refund goes to another address")
    WRITTEN_OFF = "written_off", _("Deposit lost on the chain; case closed")
    RESTORED = "restored", _("Deposit back in the chain after all")
    PROMISE_RELEASED = "promise_released", _("Reserved coins released by our team")
    PAID_LATE = "paid_late", _("Deposit came after the payment time")
    UNDERPAID = "underpaid", _("Deposit smaller than agreed")
    OVERPAID = "overpaid", _("Deposit larger than agreed")
    SECOND = "second", _("A second deposit arrived")


def describe_reason(stored: str) -> str:
    """Return the words of a stored reason; one that a newer release wrote has none here yet and is a plain step."""
    try:
        return str(Reason(stored).label)
    except ValueError:
        return str(_("One more step"))
