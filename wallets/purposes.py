"""What kinds of payouts there are besides an order's: the house's own, by their purpose; pure."""

JOIN = "house:consolidate:"  # many small coins of ours become one: nothing leaves but the network's fee


def joins_coins(purpose: str) -> bool:
    """Say whether a payout only joins coins of the house. Its amount is what it may spend, its reservation the fee cap."""
    return purpose.startswith(JOIN)
