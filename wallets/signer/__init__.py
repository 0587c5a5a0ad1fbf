"""Everything that happens inside a signing transaction, and nothing else: it asks no node and imports no web code.

What the node said arrives as an `Advice` (wallets.signer.advice); the worker reaches this package only through
wallets.paying.signing. Each verb is one transaction: lock, look again, choose, sign, store, commit.
"""
