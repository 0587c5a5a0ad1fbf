"""How large payments are: upper bounds of virtual bytes on chains with outputs, gas on chains with accounts. Pure."""

# BIP-141 weights, rounded up: version and counts, a P2WPKH input, and the largest output that an address may ask for
# (P2WSH).
BASE_VB, INPUT_VB, OUTPUT_VB = 11, 69, 43
PLAIN_GAS = 21_000  # a transfer to an address without code (Ethereum yellow paper, G_transaction)


def size_vb(inputs: int, outputs: int) -> int:
    """Return an upper bound of the virtual size."""
    return BASE_VB + INPUT_VB * inputs + OUTPUT_VB * outputs
