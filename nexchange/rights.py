"""What each kind of process may do with each table: the one place. `manage.py release` grants it, `manage.py roles` prints it.

A cell holds verbs: S(elect), I(nsert), U(pdate), D(elete); U may name its columns. An empty cell is no right at all, and a
table that is missing below has none: `release` names it. Two rules stand above the table: only a signer writes what may be
sent, and web writes nothing that is money.

web: pages and API. worker: the queue `default` (prices, deadlines, publishing, checkpoints). chain: the worker of one
network. signer: the only process with keys. operator: what a person's commands may do beyond web, worker and chain together.
beat: reads the schema's version and writes nothing.
"""

COLUMNS = ("web", "worker", "chain", "signer", "beat", "operator")

# SELECT ... FOR UPDATE asks for the right to update one column: where only the lock is meant, that column is a harmless one.
_ASKED = "payout_address refund_address hold_reason next_actor deadline transition_count"
_MOVED = "state exception hold_reason next_actor deadline transition_count"
_CREDITED = "priced_at credited_send_minor credited_get_minor completed_at refund_address"
_SENT = "journaled_at sent_at answer next_send_at block_height block_hash reverted mined_fee_minor"
_PEOPLE = {"web": "S I U D", "operator": "S I U D"}  # Django's own tables for people who sign in

RIGHTS: dict[str, dict[str, str]] = {
    # people
    "accounts_user": {"web": "S I U", "worker": "S", "chain": "S", "operator": "S I U"},
    "accounts_user_groups": _PEOPLE,
    "accounts_user_user_permissions": _PEOPLE,
    "accounts_accesstoken": {"web": "S I U(revoked_at)", "operator": "S U(revoked_at)"},
    "auth_group": _PEOPLE,
    "auth_group_permissions": _PEOPLE,
    "auth_permission": {"web": "S", "operator": "S"},
    "django_admin_log": {"web": "S I", "operator": "S I"},
    "django_content_type": {"web": "S", "worker": "S", "chain": "S", "operator": "S"},
    "django_session": _PEOPLE,
    # what a release alone writes
    "core_asset": {"web": "S", "worker": "S", "chain": "S", "signer": "S", "operator": "S"},
    # heartbeats: written by whatever works, read by whoever sells
    "core_heartbeat": {"web": "S", "worker": "S I U", "chain": "S I U", "signer": "S I U", "operator": "S"},
    "django_migrations": {"web": "S", "worker": "S", "chain": "S", "signer": "S", "beat": "S", "operator": "S"},
    "ticker_market": {"web": "S", "worker": "S", "chain": "S", "signer": "S", "operator": "S"},
    "ticker_listing": {"web": "S", "worker": "S", "chain": "S", "operator": "S"},
    "ticker_pair": {"web": "S", "worker": "S", "chain": "S", "signer": "S", "operator": "S"},
    # prices: written by the role that asks the venues, so that a signer may hold a payout against them
    "ticker_sourcestate": {"web": "S", "worker": "S I U", "chain": "S", "operator": "S"},
    "ticker_marketstate": {"web": "S", "worker": "S I U", "chain": "S", "signer": "S", "operator": "S"},
    "ticker_round": {"web": "S", "worker": "S I U D", "chain": "S", "operator": "S"},
    "ticker_observation": {"web": "S", "worker": "S I D", "chain": "S", "operator": "S"},
    "ticker_marketrate": {"web": "S", "worker": "S I D", "chain": "S", "signer": "S", "operator": "S"},
    # the books: added to by ledger_post(), balances kept by triggers alone
    "ledger_ledgeraccount": {"web": "S", "worker": "S I", "chain": "S I", "signer": "S", "operator": "S"},
    "ledger_entry": {"web": "S", "worker": "S I", "chain": "S I", "signer": "S", "operator": "S"},
    "ledger_posting": {"web": "S", "worker": "S I", "chain": "S I", "signer": "S", "operator": "S"},
    "ledger_balance": {"web": "S", "worker": "S", "chain": "S", "signer": "S", "operator": "S"},
    "ledger_checkpoint": {"web": "S", "worker": "S", "chain": "S", "signer": "S", "operator": "S"},
    # coins
    "wallets_chainstate": {
        "web": "S I U(next_index)",
        "worker": "S I U",
        "chain": "S I U",
        "signer": "S U(next_nonce)",
        "operator": "S",
    },
    "wallets_blockseen": {"web": "S", "worker": "S", "chain": "S I D", "signer": "S", "operator": "S"},
    "wallets_readinggap": {"web": "S", "worker": "S", "chain": "S I U", "signer": "S", "operator": "S"},
    "wallets_tracegap": {"web": "S", "worker": "S", "chain": "S I U D", "signer": "S", "operator": "S"},
    "wallets_quarantine": {
        "web": "S",
        "worker": "S",
        "chain": "S I U(resolved_at resolved_by resolved_because)",
        "signer": "S",
        "operator": "S U(resolved_at resolved_by resolved_because)",
    },
    "wallets_rawtx": {"web": "S", "worker": "S", "chain": "S I", "signer": "S", "operator": "S"},
    "wallets_address": {"web": "S I", "worker": "S I", "chain": "S I", "signer": "S I", "operator": "S"},
    "wallets_deposit": {
        "web": "S",
        "worker": "S U(disposition reason deadline next_actor news)",
        "chain": "S I U",
        "signer": "S U(news)",
        "operator": "S",
    },
    # Peg-outs on their way: read by people alone, beside the worker that writes them.
    "wallets_pegoutsight": {"web": "S", "chain": "S I U(missing_since gone deposit_id)", "operator": "S"},
    "wallets_payout": {
        "web": "S",
        "worker": "S U(problem tried_at news)",
        "chain": "S I U",
        "signer": "S U(state signed_at problem tried_at news)",
        "operator": "S",
    },
    "wallets_attempt": {
        "web": "S",
        "worker": "S",
        "chain": f"S U({_SENT})",
        "signer": "S I U(next_send_at answer)",
        "operator": "S",
    },
    "wallets_coin": {"web": "S", "worker": "S", "chain": "S I U", "signer": "S I U(usable)", "operator": "S"},
    # A hold that its payout has left behind passes to the next one.
    "wallets_coinhold": {"web": "S", "worker": "S", "chain": "S", "signer": "S I U(payout_id)", "operator": "S"},
    "wallets_noncehold": {
        "web": "S",
        "worker": "S",
        "chain": "S U(spent_txid spent_height)",
        "signer": "S I",
        "operator": "S",
    },
    "wallets_evidence": {"web": "S", "worker": "S", "chain": "S I", "signer": "S I", "operator": "S I"},
    "wallets_freeze": {
        "web": "S",
        "worker": "S I",
        "chain": "S I",
        "signer": "S",
        "operator": "S I U(lifted_at lifted_by lifted_because)",
    },
    "wallets_reconciliation": {"web": "S", "worker": "S", "chain": "S I U", "operator": "S"},
    # What each signer says of its ceilings: believed by whoever sells, so written by none of them.
    "wallets_signerroom": {"web": "S", "worker": "S", "chain": "S", "signer": "S I U", "operator": "S"},
    "wallets_housemovement": {
        "web": "S",
        "worker": "S",
        "chain": "S U(block_height left_minor)",
        "operator": "S I U(block_height booked_at booked_by)",
    },
    # orders
    "orders_order": {
        "web": f"S I U({_ASKED})",
        "worker": f"S U({_MOVED})",
        "chain": f"S U({_MOVED} {_CREDITED})",
        "signer": "S",
        "operator": "S U(payout_address refund_address)",
    },
    "orders_transition": {
        "web": "S I",
        "worker": "S I U(published_seq)",
        "chain": "S I",
        "signer": "S",
        "operator": "S",
    },
    "orders_promise": {
        "web": "S I",
        "worker": "S U(funded lapses_at closed_at)",
        "chain": "S U(funded lapses_at closed_at)",
        "operator": "S",
    },
    "orders_choice": {
        "web": "S I",
        "worker": "S",
        "chain": "S U(problem done_at outcome details)",
        "operator": "S",
    },
    "orders_idempotencykey": {"web": "S I", "worker": "S", "chain": "S", "operator": "S"},
}

# SQL functions that something of ours calls, and who may; every other one of ours runs as a trigger alone.
FUNCTIONS: dict[str, tuple[str, ...]] = {
    "ledger_post(jsonb)": ("worker", "chain"),
    "ledger_take_checkpoints()": ("worker",),
    "accounts_take_ids(integer)": ("web",),
    "orders_lock_promises(text,text)": ("web",),
    "orders_promised(text,text)": ("web", "worker", "chain", "operator"),
    "orders_open(jsonb)": ("web",),
    "ledger_free_coins()": ("web", "worker", "chain", "operator"),
    "wallets_standing()": ("web", "worker", "chain", "operator"),
    "wallets_frozen()": ("web", "worker", "chain", "operator"),
    "orders_payout_fault(bigint)": ("web", "worker", "chain", "signer"),
}
