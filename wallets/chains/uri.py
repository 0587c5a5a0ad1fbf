"""Payment URIs for wallets and QR codes: BIP-21 for the Bitcoin family, EIP-681 for Ethereum."""

from core.money import Money


def payment_uri(network: str, address: str, amount: Money, *, chain_id: int = 0) -> str:
    """Return the URI that asks a wallet to send `amount` to `address`."""
    if network == "ethereum":
        chain = f"@{chain_id}" if chain_id else ""
        return f"ethereum:{address}{chain}?value={amount.minor}"
    return f"{network}:{address}?amount={amount.format()}"
