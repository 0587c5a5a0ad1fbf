"""The networks this site serves: each has a worker, a signer, a queue, and a database role of each. Their one list."""

CHAINS = ("litecoin", "ethereum")
