"""Deposit addresses: one per order, derived from the chain's public account key, never asked of a node.

The index comes from the database, so that two processes can never hand out the same address; each address is derived
twice by independent code before anyone sees it.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.pool import Pool
from wallets.address_rules import check_address
from wallets.chain_ids import chain_id_of
from wallets.chains.derivation import derive_checked
from wallets.models import Address

# Deposits use the even branches: 0, and after each restored backup the next one (wallets.restored).
DEPOSITS, HOUSE = 0, 1
PLACES_AT_A_TIME = 8


class AddressIsOurs(DomainError):
    code = "address_is_ours"
    message = _("This address belongs to this exchange. Give an address of your own wallet.")


class AddressKeyMissing(Exception):
    """The chain has no public account key configured: no address can be made."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where below a chain's account key an address is derived."""

    account: int
    index: int

    @property
    def branch(self) -> int:
        return DEPOSITS + 2 * self.account


def take_place(chain: str) -> Place:
    """Return the place of the next deposit address of `chain`: nobody else is given it. At most one statement.

    Inside a transaction the chain's counter is locked until its end, and counts on only if that commits; outside, a
    process takes some at a time, and those that it has not used when it ends stay without an address.
    """
    return _pool(chain).take()


def give_place_back(chain: str, place: Place) -> None:
    """Let the next order have a place that nobody was shown the address of."""
    _pool(chain).give_back(place)


@lru_cache(maxsize=16)
def _pool(chain: str) -> Pool[Place]:
    return Pool(partial(_take_places, chain), some=PLACES_AT_A_TIME)


def _take_places(chain: str, count: int) -> list[Place]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO wallets_chainstate
                (code, identity, height, block_hash, problem, next_index, account, fee_rate_minor)
            VALUES (%s, '', -1, '', '', %s, 0, 0)
            ON CONFLICT (code) DO UPDATE SET next_index = wallets_chainstate.next_index + EXCLUDED.next_index
            RETURNING next_index, account
            """,
            [chain, count],
        )
        end, account = cursor.fetchone()
    return [Place(account, index) for index in range(end - count, end)]


def deposit_address(*, chain: str, place: Place, owner_ref: str, at: datetime) -> Address:
    """Derive the deposit address of a place, for the order `owner_ref`; not stored yet, and no statement."""
    return Address(
        chain=chain,
        address=derive(chain=chain, branch=place.branch, index=place.index),
        account=place.account,
        branch=place.branch,
        index=place.index,
        owner_ref=owner_ref,
        created_at=at,
    )


def house_address(*, chain: str, at: datetime) -> Address:
    """Return the house's own address (funding, change, sender), making its row the first time. Safe to repeat."""
    address = house_text(chain)
    found, _created = Address.objects.get_or_create(
        chain=chain, address=address, defaults={"account": 0, "branch": HOUSE, "index": 0, "created_at": at}
    )
    return found


def house_text(chain: str) -> str:
    """Return the house's own address; derived once per process and key."""
    return _house_text(chain, settings.ACCOUNT_KEYS.get(chain, ""), network_params())


@lru_cache(maxsize=16)
def _house_text(chain: str, key: str, params: str) -> str:
    return derive(chain=chain, branch=HOUSE, index=0)


def derive(*, chain: str, branch: int, index: int) -> str:
    """Derive an address of ours, twice, and return it. Raises: AddressKeyMissing, DerivationMismatch."""
    key = settings.ACCOUNT_KEYS.get(chain, "")
    if not key:
        raise AddressKeyMissing(f"no public account key for {chain}: set {chain.upper()}_ACCOUNT_KEY")
    return derive_checked(chain, network_params(), key, branch, index)


def is_derived(address: Address) -> bool:
    """Say whether our public key makes the address that a row names; rows are not believed (docs/SECURITY.md).

    True where no key is configured, since nothing can be told then. Kept in memory: rows of addresses never change.
    """
    key = settings.ACCOUNT_KEYS.get(address.chain, "")
    place = (address.branch, address.index)
    return not key or _derives(address.chain, key, network_params(), place, address.address)


@lru_cache(maxsize=1 << 16)
def _derives(chain: str, key: str, params: str, place: tuple[int, int], text: str) -> bool:
    try:
        return derive_checked(chain, params, key, *place) == text
    except (ValueError, OverflowError):  # a branch or an index that no key has
        return False


def network_params() -> str:
    """Name the networks this site speaks to: the demo's own regtest chains, or the main ones."""
    return "regtest" if settings.SITE_MODE == "demo" else "main"


def check_customer_address(*, chain: str, text: str, field: str) -> str:
    """Return the canonical form of a customer's address on `chain`. Raises: AddressInvalid and kin.

    No statement, but for a payment request that names a chain id, and then one a minute at most.
    """
    try:
        return check_address(chain, network_params(), text, chain_id=chain_id_of(chain) if "@" in text else 0)
    except DomainError as error:
        error.field = field
        raise


def refuse_own_addresses(*, chain_addresses: dict[str, tuple[str, str]]) -> None:
    """Refuse addresses of ours, given as {field: (chain, canonical address)}; one statement. Raises: AddressIsOurs."""
    wanted = {field: pair for field, pair in chain_addresses.items() if pair[1]}
    if not wanted:
        return
    rows = Address.objects.filter(address__in=[address for _, address in wanted.values()])
    ours = {(row.chain, row.address) for row in rows if is_derived(row)}
    for field, pair in wanted.items():
        if pair in ours:
            raise AddressIsOurs(field=field)
