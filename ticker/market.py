"""Which market the prices on show come from, for the banner and for whoever must not trust a generated one."""

from ticker.catalogue import get_catalogue


def is_generated() -> bool:
    """Whether the prices on show are generated (demo) and not from the venues. From memory, at most a second old."""
    return get_catalogue().generated
