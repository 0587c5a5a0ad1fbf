"""The one door to the signer: whatever wants a signature asks here."""

from wallets.signer.advice import Action, Advice, Outcome
from wallets.signer.again import reopen
from wallets.signer.keys import has_keys
from wallets.signer.outbid import outbid
from wallets.signer.pay import sign_payout

_VERBS = {"pay": sign_payout, "outbid": outbid, "reopen": reopen}


def can_sign() -> bool:
    """Say whether a signer answers to this process at all."""
    return has_keys()


def request_signature(*, action: Action, payout_id: int, advice: Advice) -> Outcome:
    """Ask for one signature and return what became of it. Never inside a transaction: the signer commits its own.

    Safe to repeat: the signer looks at the rows again and refuses what was done meanwhile.
    """
    return _VERBS[action](payout_id, advice)
