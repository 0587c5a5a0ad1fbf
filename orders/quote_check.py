"""A quote is looked at again when it is used: its amounts, its arithmetic and its rate, against the terms of that moment.

So a quote is worth no more than the market, whoever signed it: a stolen key wins what policy.QUOTE_SLIP_BPS allows.
"""

from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from orders import policy
from orders.pricing import BPS, Terms, gross_of
from orders.quotes import AmountAboveMaximum, AmountBelowMinimum, Quote, QuoteInvalid


class QuoteOutdated(DomainError):
    code = "quote_outdated"
    message = _("The rate has moved since this price was shown. Please look at the new one.")


def check_quote(quote: Quote, terms: Terms) -> None:
    """Do nothing for a quote that could have been made at `terms`, or nearly; pure.

    1. Its parts must add up, on the assets' steps, with the pair's fee. Raises: QuoteInvalid.
    2. Rate and network fee must be near today's. Raises: QuoteOutdated.
    3. Both amounts must be within the assets' own bounds. Raises: AmountBelowMinimum, AmountAboveMaximum.
    """
    _check_arithmetic(quote, terms)
    if abs(quote.rate - terms.rate) * BPS > terms.rate * policy.QUOTE_SLIP_BPS:
        raise QuoteOutdated
    factor = policy.QUOTE_FEE_FACTOR
    if quote.network_fee.minor * factor < terms.network_fee.minor or quote.fee_cap.minor > terms.fee_cap.minor * factor:
        raise QuoteOutdated
    for amount in (quote.send, quote.get):
        asset = amount.asset
        least, most = (type(amount)(minor, asset) for minor in (asset.minimum_minor, asset.maximum_minor))
        if amount < least:
            raise AmountBelowMinimum(minimum=str(least))
        if amount > most:
            raise AmountAboveMaximum(maximum=str(most))


def _check_arithmetic(quote: Quote, terms: Terms) -> None:
    if (quote.send.asset.code, quote.get.asset.code) != (terms.send_asset.code, terms.get_asset.code):
        raise QuoteInvalid
    amounts = (quote.send.minor, quote.get.minor, quote.fee.minor, quote.network_fee.minor, quote.fee_cap.minor)
    if min(amounts[:2]) <= 0 or min(amounts) < 0 or quote.rate <= 0:
        raise QuoteInvalid
    if any(amount.minor % amount.asset.quote_step for amount in (quote.send, quote.get)):
        raise QuoteInvalid
    gross = gross_of(quote.send, rate=quote.rate, into=terms.get_asset)
    # One unit less is what rounding the gross down may take from the fee.
    least_fee = gross.minor * terms.fee_bps - BPS
    if gross != quote.get + quote.fee + quote.network_fee or quote.fee.minor * BPS < least_fee:
        raise QuoteInvalid
