"""Payment URIs for wallets and QR codes: BIP-21 for the Bitcoin family, EIP-681 for Ethereum."""

from core.money import Money


def has_chain_id(network: str) -> bool:
    """Say whether payment requests of a network name a chain (EIP-681)."""
    return network == "ethereum"


def payment_uri(network: str, address: str, amount: Money, *, chain_id: int = 0) -> str:
    """Return the URI that asks a wallet to send `amount` to `address`."""
    if has_chain_id(network):
        chain = f"@{chain_id}" if chain_id else ""
        return f"ethereum:{address}{chain}?value={amount.minor}"
    return f"{network}:{address}?amount={amount.format()}"
