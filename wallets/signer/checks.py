"""What the signer proves for itself before it signs a payout: it believes neither the rows it is shown nor who asks.

Whoever holds the database as the role of a web host or a worker can write rows; each of these rules is one such row that
pays a thief. The worker's advice decides nothing here.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from django.conf import settings
from django.db import connection

from core.assets import confirmations_required
from core.clock import now
from core.errors import DomainError
from core.models import Asset
from core.money import minor_factor
from ledger.models import Entry
from ticker.models import MarketState
from wallets.address_rules import check_address
from wallets.addresses import house_text, is_derived, network_params
from wallets.chains.coin_choice import JOIN_FEE_PERCENT, MOST_JOINED, join_fee
from wallets.chains.fees import FEE_BOUNDS
from wallets.models import Address, ChainState, Deposit, Payout
from wallets.purposes import joins_coins
from wallets.signer import journal
from wallets.signer.ceilings import find_excess, is_approved, read_ceilings
from wallets.signer.keys import SignerRefused

# A promised rate may be an hour and a half old when it is paid, and markets move; more than this above the last known
# price is a forged order, or an hour in which a person should look. In per cent of the deposit's worth.
MOST_ABOVE_PRICE_PERCENT = 15
# A fee cap is a multiple of the advice when an order was opened; the most that is believed, times this.
FEE_CAP_FACTOR = 2
PIVOT = "USD"
SENT_BACK = "deposit:"  # how the purpose of a refund begins; orders_payout_fault knows no other kind but an exchange's


def check_payout(payout: Payout, funding: Sequence[Deposit]) -> journal.Line:
    """Prove that a locked payout may be signed and return its line for the journal. Reads only. Raises: SignerRefused.

    `funding`: the locked deposits of `payout.funded_by`.
    """
    if joins_coins(payout.purpose):
        return _check_join(payout)
    _check_facts(payout)
    if not payout.funded_by:
        raise SignerRefused("no deposit pays for it", code="no_funding")
    _check_target(payout)
    if not payout.purpose.startswith(SENT_BACK) and payout.asset_id in {deposit.asset_id for deposit in funding}:
        raise SignerRefused("nothing is exchanged for itself: the order is a forged one", code="same_asset")
    for deposit in funding:
        _check_deposit(payout, deposit)
    _check_fee_cap(payout)
    networks = tuple(sorted({deposit.chain for deposit in funding}))
    line = _line(payout, minor=payout.amount_minor + payout.fee_cap_minor, funding=networks)
    if not is_approved(line, journal.read_recent(payout.chain, at=line.at)):
        _check_price(payout, funding)
    return _within_ceilings(line, payout)


def check_self_transfer(payout: Payout, *, cost_minor: int) -> journal.Line:
    """Prove that the house may bear `cost_minor` to use a nonce up, and return its line for the journal. Reads only.

    What the node asks is told by whoever holds the socket, so what it makes us burn has the ceilings of what is paid.
    Raises: SignerRefused (`lane_ceiling`).
    """
    try:
        return _within_ceilings(_line(payout, minor=cost_minor), payout)
    except SignerRefused as refusal:
        # Nobody can approve it: what it waits for is the hour, or the day, in which there is room again.
        words = str(refusal).partition(":")[0]
        raise SignerRefused(f"using the nonce up waits for room: {words}", code="lane_ceiling") from refusal


def _line(payout: Payout, *, minor: int, funding: tuple[str, ...] = ()) -> journal.Line:
    return journal.Line(
        at=now(),
        what=journal.SIGNED,
        payout=payout.pk,
        purpose=payout.purpose,
        address=payout.address,
        minor=minor,
        funding=funding,
    )


def _within_ceilings(line: journal.Line, payout: Payout) -> journal.Line:
    before = journal.read_recent(payout.chain, at=line.at)
    excess = find_excess(line, before, read_ceilings(payout.asset), network=payout.chain)
    if excess:
        raise SignerRefused(f"{excess}: a person has to approve it", code="ceiling")
    return line


def _check_join(payout: Payout) -> journal.Line:
    """Prove that nothing but an honest fee leaves when coins are joined: only that counts against the ceilings."""
    _check_facts(payout)
    _check_join_fee(payout)
    return _within_ceilings(_line(payout, minor=payout.fee_cap_minor), payout)


def _check_join_fee(payout: Payout) -> None:
    """Whoever may write an intent must not burn coins as a fee: a share of what is joined, at a rate that is believed."""
    if payout.address != house_text(payout.chain):
        raise SignerRefused(f"{payout.address} is not where the house's coins lie", code="target_not_house")
    most = min(join_fee(MOST_JOINED, FEE_BOUNDS[payout.chain].most), payout.amount_minor * JOIN_FEE_PERCENT // 100)
    if payout.fee_cap_minor > most:
        raise SignerRefused(f"a fee cap of {payout.fee_cap_minor} is over {most}", code="fee_cap")


def check_network(state: ChainState, chain_id: int) -> None:
    """Prove that a signature is for the chain that the first scan pinned: its id stands in every one. Raises: SignerRefused."""
    pinned = state.identity.partition(":")[0]
    if pinned != str(chain_id):
        raise SignerRefused(f"chain id {chain_id} is not the pinned one, {pinned or 'none yet'}", code="other_network")


def check_outbid(payout: Payout) -> None:
    """Prove that a further attempt pays what the first one did. Raises: SignerRefused."""
    if joins_coins(payout.purpose):
        _check_join_fee(payout)
        return
    _check_target(payout)
    _check_fee_cap(payout)


def _check_facts(payout: Payout) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT orders_payout_fault(%s)", [payout.pk])
        fault = cursor.fetchone()[0]
    if fault:
        raise SignerRefused(f"it stands against no stored fact: {fault}", code="no_facts")
    if Entry.objects.filter(reference=f"close:{payout.closing}").exists():
        raise SignerRefused("the books say that it is over", code="reservation_closed")


def _check_target(payout: Payout) -> None:
    try:
        canonical = check_address(payout.chain, network_params(), payout.address)
    except DomainError as error:
        raise SignerRefused(f"{payout.address} is no address of {payout.chain}", code="target_invalid") from error
    known = Address.objects.filter(chain=payout.chain, address__in=[payout.address, canonical])
    if any(map(is_derived, known)) or canonical == house_text(payout.chain):
        raise SignerRefused(f"{payout.address} is ours", code="target_is_ours")


def _check_deposit(payout: Payout, deposit: Deposit) -> None:
    """The deposit's address is derived again: a row that names another pays for nothing."""
    address = deposit.address
    known = (address.chain, address.owner_ref, deposit.owner_ref) == (deposit.chain, payout.owner_ref, payout.owner_ref)
    if not known or deposit.asset.network != deposit.chain:
        raise SignerRefused(f"deposit {deposit.pk} belongs to another order", code="deposit_of_another")
    if address.branch % 2 or not settings.ACCOUNT_KEYS.get(address.chain) or not is_derived(address):
        raise SignerRefused(f"the address of deposit {deposit.pk} is not derived from our key", code="address_forged")
    height = ChainState.objects.values_list("height", flat=True).get(code=deposit.chain)
    if deposit.block_height is None or height < deposit.block_height + confirmations_required(deposit.asset) - 1:
        raise SignerRefused(f"deposit {deposit.pk} is not deep enough", code="funding_unconfirmed")


def _check_fee_cap(payout: Payout) -> None:
    most = FEE_BOUNDS[payout.chain].most * payout.asset.payout_units * FEE_CAP_FACTOR
    if payout.fee_cap_minor > most:
        raise SignerRefused(f"a fee cap of {payout.fee_cap_minor} is over this network's bound {most}", code="fee_cap")


def _check_price(payout: Payout, funding: Sequence[Deposit]) -> None:
    """Hold an exchange against the last known prices, which only the role that asks the venues writes."""
    if payout.purpose.startswith(SENT_BACK):
        return  # the facts bind it by the deposit itself
    given = funding[0].asset
    factor = minor_factor(_dollars(given) / _dollars(payout.asset), source=given, target=payout.asset)
    worth = sum(deposit.amount_minor for deposit in funding) * factor
    if payout.amount_minor > worth * Fraction(100 + MOST_ABOVE_PRICE_PERCENT, 100):
        raise SignerRefused(
            f"{payout.amount_minor} is more than {MOST_ABOVE_PRICE_PERCENT} % above what its deposits are worth now,"
            f" {int(worth)}: a person has to approve it",
            code="above_price",
        )


def _dollars(asset: Asset) -> Decimal:
    found = MarketState.objects.filter(market__base=asset.currency, market__quote=PIVOT).first()
    if found is None or not found.bid or not found.ask:
        raise SignerRefused(f"no price of {asset.currency} is known", code="price_unknown")
    return Decimal(found.bid + found.ask) / 2
