"""The exchange itself, as rows: orders with what was promised, their transitions, promises of coins, repeated requests."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models import Asset, MinorField
from orders import states


class Order(models.Model):
    """One exchange. The promised amounts, rate and fees are copied from the quote and never change."""

    reference = models.CharField(max_length=17, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="orders"
    )
    pair = models.CharField(max_length=24)
    send_asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    get_asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    quote_id = models.UUIDField(unique=True)
    side = models.CharField(max_length=4, choices=[("send", "send"), ("get", "get")])  # which amount the customer gave
    send_minor = MinorField()
    get_minor = MinorField()
    rate = models.DecimalField(max_digits=40, decimal_places=20)  # send asset per get asset, before fees
    fee_minor = MinorField()  # in the get asset
    network_fee_minor = MinorField()  # in the get asset
    fee_cap_minor = MinorField()  # the most that the payout's transaction may cost us, in the get asset

    state = models.CharField(max_length=20, default=states.AWAITING_DEPOSIT)
    exception = models.CharField(max_length=12, default=states.NONE)
    hold_reason = models.CharField(max_length=12, blank=True)
    next_actor = models.CharField(max_length=12, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)
    transition_count = models.PositiveIntegerField(default=0)

    created_at = models.DateTimeField()
    payment_deadline = models.DateTimeField()  # until then the first sight of the deposit keeps the rate
    deposit_address = models.CharField(max_length=128)
    payout_address = models.CharField(max_length=128, blank=True)
    refund_address = models.CharField(max_length=128, blank=True)
    owner_token_hash = models.CharField(max_length=64)
    nonce = models.CharField(max_length=64)

    priced_at = models.DateTimeField(null=True, blank=True)  # write-once: when the exchange entry was posted
    credited_send_minor = MinorField(null=True, blank=True)
    credited_get_minor = MinorField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(state__in=states.ORDER.states), name="order_state_known"),
            models.CheckConstraint(condition=Q(exception__in=states.EXCEPTIONS), name="order_exception_known"),
            models.CheckConstraint(condition=Q(hold_reason__in=states.HOLDS), name="order_hold_known"),
            models.CheckConstraint(condition=Q(send_minor__gt=0, get_minor__gt=0), name="order_amounts_positive"),
            models.CheckConstraint(
                condition=Q(state__in=(states.COMPLETED, states.EXPIRED, states.REFUNDED))
                | Q(deadline__isnull=False) & ~Q(next_actor=""),
                name="order_open_has_deadline_and_actor",
            ),
            models.CheckConstraint(
                condition=~Q(payout_address="") | ~Q(state__in=(states.PAYING, states.SENT, states.COMPLETED)),
                name="order_paid_to_an_address",
            ),
            models.CheckConstraint(
                condition=~Q(payout_address="") | ~Q(state=states.EXCHANGING) | Q(hold_reason=states.ADDRESS),
                name="order_without_address_is_held",
            ),
        )
        indexes = (
            models.Index(fields=("state", "deadline"), name="order_by_deadline"),
            models.Index(fields=("created_at", "id"), name="order_by_age"),
            models.Index(fields=("user", "id"), name="order_of_user"),
        )

    def __str__(self) -> str:
        return self.reference


class Transition(models.Model):
    """One recorded move of an order: the event log. `published_seq` is gap-free and given after commit by one publisher."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="transitions", db_index=False)
    seq = models.PositiveIntegerField()
    from_state = models.CharField(max_length=20, blank=True)
    to_state = models.CharField(max_length=20)
    exception = models.CharField(max_length=12)
    hold_reason = models.CharField(max_length=12, blank=True)
    actor = models.CharField(max_length=64)
    reason = models.CharField(max_length=120)
    at = models.DateTimeField()
    published_seq = models.BigIntegerField(null=True, blank=True, unique=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("order", "seq"), name="transition_seq_unique"),)
        indexes = (models.Index(fields=("id",), condition=Q(published_seq=None), name="transition_unpublished"),)

    def __str__(self) -> str:
        return f"{self.order_id}#{self.seq} {self.from_state}>{self.to_state}"


class Promise(models.Model):
    """Coins promised to an order at a fixed rate and not yet reserved in the books; open promises reduce what is available."""

    order = models.OneToOneField(Order, primary_key=True, on_delete=models.PROTECT, related_name="promise")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    amount_minor = MinorField()  # payout plus fee cap
    client_ref = models.CharField(max_length=64, blank=True)  # who asked, as a hash: open unfunded promises are capped
    funded = models.BooleanField(default=False)  # enough for it is mined, or was seen in a way that binds the rate
    lapses_at = models.DateTimeField(null=True, blank=True)  # closed then by itself; empty: stands until it is decided
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (
            models.Index(
                fields=("asset",), include=("amount_minor", "funded"), condition=Q(closed_at=None), name="promise_open"
            ),
            models.Index(
                fields=("client_ref",),
                include=("asset", "amount_minor"),
                condition=Q(closed_at=None),
                name="promise_of_client",
            ),
            models.Index(fields=("lapses_at",), condition=Q(closed_at=None), name="promise_by_lapse"),
        )

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.asset_id} to order {self.order_id}"


class Choice(models.Model):
    """What an owner asked for, to be carried out by a worker: one open choice of a kind per payment.

    `deposit` is the payment's first output. `outcome` is "done" or the code of the refusal, whose places `details` fill.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="choices")
    deposit = models.ForeignKey("wallets.Deposit", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=[("refund", "refund")])
    address = models.CharField(max_length=128)
    actor = models.CharField(max_length=64)
    asked_at = models.DateTimeField()
    problem = models.CharField(max_length=40, blank=True, db_default="")  # why it is not carried out yet, as a code
    done_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=40, blank=True, db_default="")
    details = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("deposit", "kind"), condition=Q(done_at=None), name="choice_open_once_per_payment"
            ),
            models.CheckConstraint(
                condition=Q(done_at=None, outcome="") | Q(done_at__isnull=False) & ~Q(outcome=""),
                name="choice_done_has_outcome",
            ),
        )
        indexes = (models.Index(fields=("id",), condition=Q(done_at=None), name="choice_open"),)

    def __str__(self) -> str:
        return f"{self.kind} of deposit {self.deposit_id}"


class IdempotencyKey(models.Model):
    """A request that created an order, so that its repetition answers the same. Written in the order's own transaction."""

    scope = models.CharField(max_length=80)  # whose key it is: bearer, session, or the key itself
    key = models.CharField(max_length=80)
    body_hash = models.CharField(max_length=64)
    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="idempotency")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("scope", "key"), name="idempotency_key_unique"),)

    def __str__(self) -> str:
        return self.key
