"""Every number that decides about an order, with its unit and its reason. Texts, documents and pages take them from here.

What an operator may set by a variable stands in the settings (ENVIRONMENT lists it); what belongs to one asset or one
network stands in that record.
"""

from datetime import timedelta
from fractions import Fraction

BPS = 10_000  # basis points in a whole

# A deposit this far below or above the promised amount executes by itself, pro rata. Wallets that round to few digits
# stay within it; whoever sends a tenth less wanted something else and is asked. In basis points (1/10,000).
TOLERANCE_BPS = 50

# How long a price on the page may be accepted: long enough to type an address, too short to wait for a better market.
QUOTE_WINDOW = timedelta(seconds=60)

# How long a fixed rate waits for the payment: long enough to open a wallet and to pass its checks.
PAYMENT_WINDOW = timedelta(minutes=20)

# How far the rate may have moved between showing a quote and using it, at most a minute later, either way. More is a market
# in flight, or a quote that we did not make. In basis points (1/10,000).
QUOTE_SLIP_BPS = 200

# The network's fee may jump more within that minute: by this factor. It is a small part of most orders.
QUOTE_FEE_FACTOR = 2

# How long a deposit waits for its owner's decision, and an operator's task for the operator: a weekend and a day.
WAITING_WINDOW = timedelta(hours=72)

# How long a paid order waits for our coins before its owner may have the deposit back, free.
LIQUIDITY_WINDOW = timedelta(hours=6)

# When a step that the machine should have made by itself is handed to the operator.
MACHINE_WINDOW = timedelta(hours=1)

# A fixed rate is a free option until it is paid for (PROMISED_SHARE_PERCENT bounds all of them together). One client's
# open promises may hold this share of an asset's free and promised coins, in per cent.
CLIENT_SHARE_PERCENT = 10

# This share of what may be promised is kept for small orders, so that a few large unpaid ones close nothing.
KEPT_FOR_SMALL_PERCENT = 20

# A small order pays out at most this many times the asset's least amount.
SMALL_ORDER_MINIMUMS = 10


def percent(bps: int) -> str:
    """Spell basis points as people do: 50 is "0.5 %"."""
    share = Fraction(bps, 100)
    whole, rest = divmod(share, 1)
    digits = f"{rest.numerator * 100 // rest.denominator:02d}".rstrip("0")
    return f"{whole}.{digits} %" if digits else f"{whole} %"


def minutes(window: timedelta) -> int:
    """Return a window in whole minutes, for texts."""
    return int(window // timedelta(minutes=1))


def hours(window: timedelta) -> int:
    """Return a window in whole hours, for texts."""
    return int(window // timedelta(hours=1))
