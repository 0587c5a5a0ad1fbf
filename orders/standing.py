"""What is sold and what is not, asset by asset, for /health/, the command `offer` and the log."""

import logging
from datetime import datetime
from typing import Any

from core import clock, health
from core.heartbeat import limit_s
from core.money import Money
from orders.facts import Facts, Side, get_facts
from orders.pauses import find_pauses
from ticker.catalogue import get_catalogue
from ticker.rates import RateUnavailable
from wallets.chains.coin_choice import most_payable
from wallets.chains.registry import has_outputs
from wallets.models import Reconciliation
from wallets.paying.fees import fee_cap, offered_rate
from wallets.payouts import wait_for_approval

log = logging.getLogger(__name__)
_said: dict[str, str] = {}


def list_troubles(facts: Facts, *, at: datetime) -> dict[str, list[str]]:
    """Return by asset what stops it, as codes with details; an empty list for one that is bought and sold.

    An asset is paused by what stops every pair of it: those that pay it out and those that take it in.
    """
    troubles: dict[str, dict[str, None]] = {code: {} for code in facts.sides}
    for pair in get_catalogue().pairs.values():
        if not pair.enabled:
            continue
        found = [str(pause) for pause in find_pauses(pair, facts, at=at)]
        try:
            get_catalogue().rate(pair.base_id, pair.quote_id, at)
        except RateUnavailable as error:
            found.append(f"{error.context['market']} rate_{error.context['reason_code']}")
        for code in {pair.base_id, pair.quote_id} & troubles.keys():
            troubles[code] |= dict.fromkeys(found)
    return {code: list(found) for code, found in troubles.items()}


def list_hints(facts: Facts) -> dict[str, list[str]]:
    """Return by asset what a person should do though it is sold: coins so small that they bound what is offered."""
    hints: dict[str, list[str]] = {code: [] for code in facts.sides}
    for code, side in facts.sides.items():
        if not has_outputs(side.asset.network):
            continue
        rate = offered_rate(side.asset, side.fee_rate_minor)
        cap = fee_cap(side.asset, side.fee_rate_minor).minor
        payable = most_payable(side.coins, fee_cap_minor=cap, rate_minor=rate)
        wanted = min(side.free - cap, side.asset.maximum_minor)
        if payable < wanted:
            most = Money(payable, side.asset)
            hints[code].append(
                f"coins_small (one payment carries {most} of {Money(side.free, side.asset)}: consolidate {code})"
            )
    return hints


@health.tell
def tell_health(operator: bool) -> dict[str, Any]:  # noqa: FBT001 -- who asks
    """Add to /health/ whether each asset can be sold, and for the operator why not and how old each heartbeat is."""
    facts = get_facts()
    troubles = list_troubles(facts, at=clock.now())
    log_changes(troubles)
    body: dict[str, Any] = {"assets": {code: "paused" if found else "ok" for code, found in troubles.items()}}
    if operator:
        body["causes"] = {code: found for code, found in troubles.items() if found}
        body["heartbeats"] = {
            name: {"age_s": int(age), "limit_s": limit_s(name)} for name, age in sorted(facts.ages.items())
        }
        body["ceilings"] = {code: _tell_ceilings(side) for code, side in facts.sides.items()}
        body["hints"] = {code: found for code, found in list_hints(facts).items() if found}
        body["reconciliations"] = {
            row.asset_id: {
                "at": row.at.isoformat(),
                "height": row.height,
                "on_chain": str(row.on_chain_minor),
                "in_books": str(row.in_books_minor),
                "deposits_in_flight": str(row.deposits_in_flight_minor),
                "payouts_in_flight": str(row.payouts_in_flight_minor),
                "difference": str(row.difference_minor),
                "acted": row.acted,
                "said": row.said,
            }
            for row in Reconciliation.objects.order_by("asset")
        }
        body["clock_off_s"] = int(facts.clock_off_s)
        body["wait_for_approval"] = list(wait_for_approval().order_by("pk").values_list("pk", flat=True)[:100])
    return body


def _tell_ceilings(side: Side) -> dict[str, Any] | None:
    """What the signer of an asset still lets go by itself, in minor units as text, as all amounts of this answer."""
    said = side.ceilings
    if said is None:
        return None
    return {
        "payout": str(said.payout),
        "hour_left": str(said.hour_left),
        "day_left": str(said.day_left),
        "funded_left": {name: str(minor) for name, minor in said.funded_left.items()},
        "asked": str(said.asked),
        "promised": str(side.promised),
    }


def log_changes(troubles: dict[str, list[str]]) -> None:
    """Write a line for each asset whose standing is another than when this process last looked."""
    for code, found in troubles.items():
        # The kind of trouble counts: an age in its details changes with every look.
        kinds = ", ".join(dict.fromkeys(" ".join(text.split()[:2]) for text in found))
        if kinds != _said.get(code, ""):
            _said[code] = kinds
            if found:
                log.warning("%s is not sold: %s", code, "; ".join(found))
            else:
                log.warning("%s is sold again", code)
