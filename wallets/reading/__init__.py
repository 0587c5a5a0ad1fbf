"""How a chain becomes rows: what a block holds is matched to our addresses, and what cannot be taken in is set aside."""
