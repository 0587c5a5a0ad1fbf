"""What a signer can be asked for, by the name that a request gives it."""

from collections.abc import Callable

from wallets.signer.advice import Advice, Outcome
from wallets.signer.again import reopen
from wallets.signer.outbid import outbid
from wallets.signer.pay import sign_payout

VERBS: dict[str, Callable[[int, Advice], Outcome]] = {"pay": sign_payout, "outbid": outbid, "reopen": reopen}
