"""Coins in and out, as rows: what we know of each chain, addresses, deposits, coins, payouts and their attempts."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from embit.transaction import Transaction

from core.models import Asset, MinorField
from wallets import states
from wallets.purposes import JOIN


def _choices(table_states: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(state, state) for state in table_states]


class ChainState(models.Model):
    """What we know of one chain, and the lock of its payout lane. Made by the first scan or the first address."""

    code = models.CharField(primary_key=True, max_length=32)  # Asset.network: "litecoin", "ethereum"
    identity = models.CharField(max_length=160, blank=True)  # pinned at the first scan; a node with another is refused
    height = models.BigIntegerField(default=-1)  # of the last block we read
    block_hash = models.CharField(max_length=80, blank=True)
    block_at = models.DateTimeField(null=True, blank=True)  # the block's own time
    scan_started_at = models.DateTimeField(null=True, blank=True)  # of the last scan that finished, at the node's tip
    problem = models.CharField(max_length=300, blank=True)  # why the node is not trusted now; empty when it is
    # Whether the node tells what contracts pay; while it does not, such deposits are found late (TraceGap) or not at all.
    sees_internal = models.BooleanField(default=True, db_default=True)
    next_index = models.BigIntegerField(default=0)  # of the next deposit address
    account = models.PositiveIntegerField(
        default=0
    )  # which run of deposit addresses; a restored backup opens a new one
    fee_rate_minor = MinorField(default=0)  # per virtual byte or per gas, as the node advises
    next_nonce = models.BigIntegerField(null=True, blank=True)  # of the house's sender, where the chain has nonces

    def __str__(self) -> str:
        return f"{self.code} at {self.height}"


class BlockSeen(models.Model):
    """A recent block as we read it, to find where a reorganisation began. Old rows are pruned."""

    chain = models.CharField(max_length=32)
    height = models.BigIntegerField()
    hash = models.CharField(max_length=80)
    block_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("chain", "height"), name="block_seen_once_per_height"),)

    def __str__(self) -> str:
        return f"{self.chain} {self.height} {self.hash}"


class ReadingGap(models.Model):
    """A time in which a chain was not read to its tip, mempool included: what arrived then was seen late, by our fault.

    From the start of the last finished scan to the start of the first one after it. Written before anything that the new
    scan finds, so that whoever judges a deposit knows of the gap. Short pauses between scans are none (READING_GAP_SECONDS).
    """

    chain = models.CharField(max_length=32)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()  # moves on while scans do not finish

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("chain", "began_at"), name="reading_gap_begins_once"),
            models.CheckConstraint(condition=Q(ended_at__gt=models.F("began_at")), name="reading_gap_has_length"),
        )

    def __str__(self) -> str:
        return f"{self.chain} from {self.began_at} to {self.ended_at}"


class TraceGap(models.Model):
    """Blocks that were read without what contracts paid in them, to be read again for that: by height, both ends included.

    `whole`: the node offered no traces at all; else single transactions of one block could not be had within bounds.
    """

    chain = models.CharField(max_length=32)
    first_height = models.BigIntegerField()
    last_height = models.BigIntegerField()
    whole = models.BooleanField()
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("chain", "first_height"), name="trace_gap_begins_once"),
            models.CheckConstraint(condition=Q(last_height__gte=models.F("first_height")), name="trace_gap_in_order"),
        )
        indexes = (models.Index(fields=("chain", "next_try_at"), name="trace_gap_due"),)

    def __str__(self) -> str:
        return f"{self.chain} {self.first_height} to {self.last_height}"


class Quarantine(models.Model):
    """What a chain showed and we could not take in: the block is finished all the same, a person is told and looks.

    One row for one thing, for ever. `what` says of which kind (WHATS); `facts` is what the chain said, cut to fit.
    """

    MOVEMENT, TRANSACTION, TRACES, OWN, TOKEN = "movement", "transaction", "traces", "own", "token"
    WHATS = (
        (MOVEMENT, "a payment to an address of ours that could not be stored"),
        (TRANSACTION, "a transaction that makes no sense to us"),
        (TRACES, "a block whose payments by contracts could not be read: deposits by contracts in it are unverified"),
        (OWN, "a deposit or payment of ours whose next step failed"),
        (TOKEN, "tokens sent to an address of ours: nothing is credited"),
    )

    chain = models.CharField(max_length=32)
    what = models.CharField(max_length=12, choices=WHATS)
    txid = models.CharField(max_length=80, blank=True)
    position = models.CharField(max_length=80, blank=True)  # in the transaction, or what else tells it apart
    owner_ref = models.CharField(max_length=40, blank=True)  # of the order whose address it is
    block_height = models.BigIntegerField(null=True, blank=True)
    problem = models.CharField(max_length=300)
    facts = models.TextField(blank=True)
    at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=64, blank=True)
    resolved_because = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("chain", "what", "txid", "position"), name="quarantine_once"),
            models.CheckConstraint(
                condition=Q(resolved_at=None) | ~Q(resolved_by="") & ~Q(resolved_because=""),
                name="quarantine_resolved_by_somebody_for_a_reason",
            ),
        )
        indexes = (
            models.Index(fields=("chain", "id"), condition=Q(resolved_at=None), name="quarantine_open"),
            models.Index(fields=("owner_ref",), condition=~Q(owner_ref=""), name="quarantine_of_order"),
            models.Index(fields=("txid",), condition=~Q(txid=""), name="quarantine_by_txid"),
        )

    def __str__(self) -> str:
        return f"{self.chain} {self.what} {self.txid}:{self.position}"


class Address(models.Model):
    """An address of ours. `owner_ref` is the order it belongs to, for ever; empty for the house's own (branch 1)."""

    chain = models.CharField(max_length=32)
    address = models.CharField(max_length=128)
    account = models.PositiveIntegerField()
    branch = models.PositiveSmallIntegerField()  # even: deposits; 1: the house, funding and change
    index = models.BigIntegerField()
    owner_ref = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("chain", "address"), name="address_unique"),
            models.UniqueConstraint(fields=("chain", "account", "branch", "index"), name="address_derived_once"),
            models.UniqueConstraint(
                fields=("chain", "owner_ref"), condition=~Q(owner_ref=""), name="address_one_order"
            ),
        )
        indexes = (models.Index(fields=("address",), opclasses=("varchar_pattern_ops",), name="address_by_prefix"),)

    def __str__(self) -> str:
        return f"{self.chain} {self.address}"


class RawTx(models.Model):
    """The bytes of a transaction that pays us, once however many outputs do: to send it again after a reorganisation."""

    chain = models.CharField(max_length=32)
    txid = models.CharField(max_length=80)
    raw = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("chain", "txid"), name="raw_tx_once"),)

    def __str__(self) -> str:
        return f"{self.chain} {self.txid}"


class Deposit(models.Model):
    """One output that pays one of our addresses, by (chain, transaction, position), whenever and whatever it is.

    `disposition`, `deadline` and `next_actor` are decided by orders through wallets.deposits. `news` is set with every
    change that orders have not looked at yet.
    """

    chain = models.CharField(max_length=32)
    txid = models.CharField(max_length=80)
    position = models.CharField(max_length=40)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT)
    address = models.ForeignKey(Address, on_delete=models.PROTECT, related_name="deposits")
    owner_ref = models.CharField(max_length=40, blank=True)
    amount_minor = MinorField()
    raw = models.TextField(blank=True)  # of rows of earlier releases; newer ones are in RawTx
    state = models.CharField(max_length=12, choices=_choices(states.DEPOSIT.states), default=states.SEEN)
    first_seen_at = models.DateTimeField()
    # Whether `first_seen_at` may bind a rate: seen in a block, or unmined with a fee rate that was at least the node's
    # bounded two-block advice then, and not in place of an earlier payment to the same order. Write-once. Else only the
    # block's time counts (orders.judge). Rows of a release that knew no such rule count.
    sight_counts = models.BooleanField(default=True, db_default=True)
    block_height = models.BigIntegerField(null=True, blank=True)
    block_hash = models.CharField(max_length=80, blank=True)
    mined_at = models.DateTimeField(null=True, blank=True)  # scan_state.bound_mined_at
    confirmed_at = models.DateTimeField(null=True, blank=True)  # when we saw it deep enough
    mature_height = models.BigIntegerField(default=0)  # of coinbase and peg-out outputs: not spendable below it
    reorg_count = models.PositiveIntegerField(default=0)
    disposition = models.CharField(max_length=10, blank=True, choices=_choices(states.DISPOSITION.states))
    reason = models.CharField(max_length=40, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)
    next_actor = models.CharField(max_length=12, blank=True)
    news = models.BooleanField(default=True)
    # The transaction that its owner made and looks for, where the chain carries it under another id (PegoutSight).
    paid_by_txid = models.CharField(max_length=80, blank=True, default="", db_default="")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("chain", "txid", "position"), name="deposit_key_unique"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="deposit_amount_positive"),
            models.CheckConstraint(
                condition=~Q(disposition=states.WAITING) | Q(deadline__isnull=False) & ~Q(next_actor=""),
                name="deposit_waiting_has_deadline_and_actor",
            ),
            models.CheckConstraint(
                condition=Q(disposition="") | Q(confirmed_at__isnull=False), name="deposit_decided_once_confirmed"
            ),
        )
        indexes = (
            models.Index(fields=("id",), condition=Q(news=True), name="deposit_news"),
            models.Index(fields=("owner_ref", "id"), name="deposit_of_order"),
            models.Index(fields=("chain", "block_height"), name="deposit_by_block"),
            models.Index(fields=("chain", "id"), condition=Q(state=states.SEEN), name="deposit_unconfirmed"),
            models.Index(fields=("deadline",), condition=Q(disposition=states.WAITING), name="deposit_waiting"),
            # For people: the beginning of an id, and a span of time. BRIN costs next to nothing where time only grows.
            models.Index(fields=("txid",), opclasses=("varchar_pattern_ops",), name="deposit_by_txid"),
            BrinIndex(fields=("first_seen_at",), autosummarize=True, name="deposit_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.chain} {self.txid}:{self.position}"


class PegoutSight(models.Model):
    """A payment out of Litecoin's MWEB to an address of ours, seen unmined: written once, by (chain, transaction, position).

    Mined, it is an output of the block's carrier, a transaction of another id: `deposit`, which takes over when this was
    first seen, and whether that counts. `missing_since`: the mempool no longer holds it and no block has brought it yet.
    `gone`: none did for long enough, so nothing that is mined later may be taken for it, unless it comes back itself.
    """

    chain = models.CharField(max_length=32)
    txid = models.CharField(max_length=80)
    position = models.CharField(max_length=40)
    address = models.ForeignKey(Address, on_delete=models.PROTECT, related_name="pegout_sights")
    amount_minor = MinorField()
    first_seen_at = models.DateTimeField()
    counts = models.BooleanField()  # as Deposit.sight_counts
    missing_since = models.DateTimeField(null=True, blank=True)
    gone = models.BooleanField(default=False)
    deposit = models.OneToOneField(
        Deposit, null=True, blank=True, on_delete=models.PROTECT, related_name="pegout_sight"
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("chain", "txid", "position"), name="pegout_sight_key_unique"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="pegout_sight_amount_positive"),
        )
        indexes = (
            models.Index(
                fields=("chain", "first_seen_at"), condition=Q(deposit=None, gone=False), name="pegout_sight_open"
            ),
            models.Index(fields=("txid",), opclasses=("varchar_pattern_ops",), name="pegout_sight_by_txid"),
        )

    def __str__(self) -> str:
        return f"{self.chain} {self.txid}:{self.position}"


class Payout(models.Model):
    """One durable intent to send coins; `purpose` is unique for ever, so the same debt cannot be paid by two intents.

    `reserved_minor` = amount + fee cap, set aside in the books before the intent exists. `news` as for deposits.
    """

    purpose = models.CharField(
        max_length=80, unique=True
    )  # "order:O…:settle", "deposit:7:refund", "house:consolidate:3"
    chain = models.CharField(max_length=32)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT)
    owner_ref = models.CharField(max_length=40, blank=True)
    address = models.CharField(max_length=128)
    amount_minor = MinorField()
    fee_cap_minor = MinorField()
    reserved_minor = MinorField()
    funded_by = ArrayField(models.BigIntegerField(), default=list)  # deposits that must still be confirmed at signing
    state = models.CharField(max_length=12, choices=_choices(states.PAYOUT.states), default=states.REQUESTED)
    fee_minor = MinorField(null=True, blank=True)  # what was really paid, once confirmed
    txid = models.CharField(max_length=80, blank=True)  # of the attempt that was mined
    block_height = models.BigIntegerField(null=True, blank=True)
    requested_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True, blank=True)  # when signing was last tried in vain: others come first
    signed_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    reorg_count = models.PositiveIntegerField(default=0)  # how often a confirmed payment was taken off the chain
    problem = models.CharField(max_length=300, blank=True)  # why it does not move, in words
    news = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payout_amount_positive"),
            models.CheckConstraint(condition=~Q(address=""), name="payout_has_an_address"),
            models.CheckConstraint(
                # Joining coins of ours costs its fee alone.
                condition=Q(reserved_minor=models.F("amount_minor") + models.F("fee_cap_minor"))
                | Q(purpose__startswith=JOIN, owner_ref="", reserved_minor=models.F("fee_cap_minor")),
                name="payout_reserves_amount_and_fee_cap",
            ),
            models.CheckConstraint(
                # A self-transfer that frees the lane has a cap of its own.
                condition=Q(fee_minor__isnull=True)
                | Q(fee_minor__lte=models.F("fee_cap_minor"))
                | Q(state=states.REVERTED),
                name="payout_fee_within_cap",
            ),
        )
        indexes = (
            models.Index(fields=("id",), condition=Q(news=True), name="payout_news"),
            models.Index(fields=("chain", "state", "id"), name="payout_by_chain_state"),
            models.Index(fields=("owner_ref", "id"), name="payout_of_order"),
            BrinIndex(fields=("requested_at",), autosummarize=True, name="payout_by_time"),
        )

    def __str__(self) -> str:
        return self.purpose

    @property
    def closing(self) -> str:
        """The purpose under which its reservation is closed now: numbered for each time that a reorganisation reopened it."""
        return f"{self.purpose}:{self.reorg_count}" if self.reorg_count else self.purpose


class Attempt(models.Model):
    """One signed transaction of a payout. `raw` and `txid` are stored before anything is sent and never change."""

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="attempts")
    n = models.PositiveSmallIntegerField()
    chain = models.CharField(max_length=32)
    txid = models.CharField(max_length=80)
    raw = models.TextField()
    fee_minor = MinorField()  # the most this transaction can cost
    rate_minor = MinorField()  # per virtual byte or per gas, to outbid it
    signed_at = models.DateTimeField()
    journaled_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)  # latest time a node took it
    answer = models.CharField(max_length=200, blank=True)  # what the node said last
    next_send_at = models.DateTimeField(null=True, blank=True)  # empty when there is nothing left to send
    block_height = models.BigIntegerField(null=True, blank=True)
    block_hash = models.CharField(max_length=80, blank=True)
    reverted = models.BooleanField(default=False)  # mined, but the chain says it failed
    pays = models.BooleanField(default=True, db_default=True)  # false: a self-transfer that only uses the nonce up
    mined_fee_minor = MinorField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("payout", "n"), name="attempt_number_unique"),
            models.UniqueConstraint(fields=("chain", "txid"), name="attempt_txid_unique"),
        )
        indexes = (
            models.Index(fields=("chain", "next_send_at"), condition=Q(next_send_at__isnull=False), name="attempt_due"),
            models.Index(fields=("chain", "block_height"), name="attempt_by_block"),
            models.Index(fields=("txid",), opclasses=("varchar_pattern_ops",), name="attempt_by_txid"),
            BrinIndex(fields=("signed_at",), autosummarize=True, name="attempt_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.chain} {self.txid}"

    def list_inputs(self) -> list[tuple[str, int]]:
        """Return what the stored bytes spend, on chains that have outputs."""
        return [(spent.txid.hex(), spent.vout) for spent in Transaction.parse(bytes.fromhex(self.raw)).vin]


class Coin(models.Model):
    """An output that is ours to spend, on chains that have outputs. `origin` says how it came to be ours."""

    chain = models.CharField(max_length=32)
    txid = models.CharField(max_length=80)
    vout = models.PositiveIntegerField()
    address = models.ForeignKey(Address, on_delete=models.PROTECT)
    amount_minor = MinorField()
    attempt = models.ForeignKey(Attempt, null=True, blank=True, on_delete=models.PROTECT)  # ours: the change of it
    deposit = models.ForeignKey(Deposit, null=True, blank=True, on_delete=models.PROTECT)
    usable = models.BooleanField(default=True)  # false while its transaction is not (or no longer) to be built upon
    spent_txid = models.CharField(max_length=80, blank=True)  # mined spender
    spent_height = models.BigIntegerField(null=True, blank=True)
    # What the transaction that makes this coin spends was mined elsewhere: this coin will never be.
    void_txid = models.CharField(max_length=80, blank=True, db_default="")
    void_height = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("chain", "txid", "vout"), name="coin_unique"),)
        indexes = (
            models.Index(fields=("chain", "amount_minor"), condition=Q(usable=True, spent_txid=""), name="coin_usable"),
            models.Index(fields=("txid",), opclasses=("varchar_pattern_ops",), name="coin_by_txid"),
        )

    def __str__(self) -> str:
        return f"{self.chain} {self.txid}:{self.vout}"


class CoinHold(models.Model):
    """The exclusive claim of one payout on one coin; the unique key is what makes two payouts exclude each other."""

    chain = models.CharField(max_length=32)
    txid = models.CharField(max_length=80)
    vout = models.PositiveIntegerField()
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="coin_holds")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("chain", "txid", "vout"), name="coin_held_once"),)

    def __str__(self) -> str:
        return f"{self.txid}:{self.vout} for payout {self.payout_id}"


class NonceHold(models.Model):
    """The exclusive claim of one payout on one nonce of a sender."""

    chain = models.CharField(max_length=32)
    sender = models.CharField(max_length=128)
    nonce = models.BigIntegerField()
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="nonce_holds")
    # A mined transaction that used the nonce and is none of ours.
    spent_txid = models.CharField(max_length=80, blank=True, db_default="")
    spent_height = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("chain", "sender", "nonce"), name="nonce_held_once"),)

    def __str__(self) -> str:
        return f"{self.sender} #{self.nonce} for payout {self.payout_id}"


class Evidence(models.Model):
    """What was seen or decided about a payout that went wrong. Rows are only ever added, so the next one hides nothing."""

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="evidence")
    at = models.DateTimeField()
    by = models.CharField(max_length=64)  # "machine", or who decided
    code = models.CharField(max_length=40)
    words = models.CharField(max_length=300)

    class Meta:
        indexes = (models.Index(fields=("payout", "id"), name="evidence_of_payout"),)

    def __str__(self) -> str:
        return f"{self.code}: {self.words}"


class Freeze(models.Model):
    """An open row stops signing and first broadcasts of its scope.

    Scopes: "ALL", an asset's code, or "from:" and an asset's code (payouts that its deposits fund).
    """

    scope = models.CharField(max_length=20)
    reason = models.CharField(max_length=300)
    frozen_at = models.DateTimeField()
    frozen_by = models.CharField(max_length=64)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=64, blank=True)
    lifted_because = models.CharField(max_length=300, blank=True)  # names the reconciliation after a restore

    class Meta:
        indexes = (models.Index(fields=("scope",), condition=Q(lifted_at=None), name="freeze_open"),)

    def __str__(self) -> str:
        return f"{self.scope}: {self.reason}"


class Reconciliation(models.Model):
    """The latest comparison of an asset's books with its chain, and how far the walks over its history have come.

    `difference` = on chain - in books - deposits in flight + payouts in flight. Amounts in minor units, at one height.
    """

    asset = models.OneToOneField(Asset, primary_key=True, on_delete=models.PROTECT)
    at = models.DateTimeField()
    height = models.BigIntegerField()
    on_chain_minor = MinorField()
    in_books_minor = MinorField()
    deposits_in_flight_minor = MinorField()
    payouts_in_flight_minor = MinorField()
    difference_minor = MinorField()
    acted = models.CharField(max_length=300, blank=True)  # what was done about it
    said = models.CharField(max_length=1000, blank=True)  # what is wrong, in words
    address_cursor = models.BigIntegerField(default=0)
    deposit_cursor = models.BigIntegerField(default=0)
    payout_cursor = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.asset_id} at {self.height}"


class HouseMovement(models.Model):
    """A transaction of ours that a person made by hand: announced before it is mined, or booked afterwards; each once."""

    chain = models.CharField(max_length=32)
    txid = models.CharField(max_length=80)
    kind = models.CharField(max_length=12)
    said_at = models.DateTimeField()
    said_by = models.CharField(max_length=64)
    block_height = models.BigIntegerField(null=True, blank=True)
    left_minor = MinorField(null=True, blank=True)  # what our addresses hold less by it, its fee included, once mined
    booked_at = models.DateTimeField(null=True, blank=True)
    booked_by = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("chain", "txid"), name="house_movement_once"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.chain} {self.txid}"


class SignerRoom(models.Model):
    """What a network's signer still lets go by itself, as it last said; written by that signer alone, every few seconds.

    In minor units of the network's own coin. It tells what can be promised; what is signed is decided by the signer's own
    figures and journal, whatever stands here. What is left of an hour or a day is never below zero.
    """

    chain = models.CharField(primary_key=True, max_length=32)
    at = models.DateTimeField()  # by the database's clock
    payout_minor = MinorField()  # the ceilings, each may be reached
    hour_minor = MinorField()
    day_minor = MinorField()
    funded_hour_minor = MinorField()
    hour_left_minor = MinorField()
    day_left_minor = MinorField()
    funded_left = models.JSONField()  # of an hour against the deposits of each other network, by its name

    def __str__(self) -> str:
        return f"{self.chain}: {self.hour_left_minor} of {self.hour_minor} left this hour"
