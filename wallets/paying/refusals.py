"""What a node means by its refusals: texts of Core, geth, Erigon and anvil brought to a few stable codes. Pure."""

from wallets.chains.protocol import Refused

# The first that is found in the node's words counts. Sources: Core's validation.cpp and policy, geth's core/txpool/errors.go
# and core/error.go, anvil's eth/error.rs.
_WORDS = (
    ("fee_refused", "min relay fee not met"),
    ("fee_refused", "mempool min fee not met"),
    ("fee_refused", "mempool full"),
    ("fee_refused", "insufficient fee"),
    ("fee_refused", "maxfeerate"),
    ("fee_refused", "max-fee-exceeded"),
    ("fee_refused", "absurdly-high-fee"),
    ("fee_refused", "underpriced"),
    ("fee_refused", "less than block base fee"),
    ("fee_refused", "fee cap less than"),
    ("fee_refused", "tip too low"),
    ("chain_too_long", "too-long-mempool-chain"),
    ("inputs_missing", "missing-inputs"),
    ("inputs_missing", "missingorspent"),
    ("inputs_missing", "missing inputs"),
    ("inputs_spent", "txn-mempool-conflict"),
    ("nonce_used", "nonce too low"),
    ("nonce_ahead", "nonce too high"),
    ("coins_short", "insufficient funds"),
)


# Every code that a sending may leave in Payout.problem; the next answer of a node replaces these and no others.
SENDING_CODES = frozenset({code for code, _ in _WORDS} | {"node_refused", "node_silent"})


# A signer's refusals that no time and no money mend: a person approves the payment on the signer's host, or nobody pays it.
FOR_A_PERSON = ("ceiling", "above_price")


def wants_approval(problem: str) -> bool:
    """Say whether a payout's problem is one that a person has to approve; pure."""
    return problem.partition(":")[0] in FOR_A_PERSON


def is_of_sending(problem: str) -> bool:
    """Say whether a payout's problem is what a node answered (or nothing), so that its next answer may replace it; pure."""
    return problem == "" or problem.partition(":")[0] in SENDING_CODES


def classify(refused: Refused) -> str:
    """Return the stable code of a refusal: `node_refused` when its words are new to us."""
    said = f"{refused.code} {refused.reason}".lower()
    return next((code for code, words in _WORDS if words in said), "node_refused")
