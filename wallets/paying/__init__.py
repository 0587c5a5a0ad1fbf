"""The worker's side of payouts: it asks the node, asks the signer for signatures, and sends what is signed."""
