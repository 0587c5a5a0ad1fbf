"""What each network is, as one record: how fast it ordinarily confirms, and the smallest output that its nodes relay.

Sources: the block interval of each network's consensus rules; the relay dust of a P2PKH output in each Core's policy
(Bitcoin 546 satoshi at 3,000 per kB, Litecoin 5,460 at 30,000; Dogecoin's hard limit of 0.001 DOGE).
"""

from dataclasses import dataclass
from datetime import timedelta

LONGEST_FIRST_CONFIRMATION = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class Network:
    """How fast it confirms, and the least it relays.

    `first_confirmation`: within this of its first sight a payment with an adequate fee is ordinarily mined, a few
    blocks; a rate binds no longer. `least_output_minor`: less is not relayed, so it cannot be sent.
    """

    code: str
    first_confirmation: timedelta
    least_output_minor: int

    def __post_init__(self) -> None:
        if not timedelta(0) < self.first_confirmation <= LONGEST_FIRST_CONFIRMATION:
            raise ValueError(f"{self.code}: a rate may bind for {LONGEST_FIRST_CONFIRMATION} after first sight at most")


NETWORKS = {
    network.code: network
    for network in (
        Network("bitcoin", timedelta(minutes=20), 546),  # two blocks of ten minutes
        Network("litecoin", timedelta(minutes=20), 5_460),  # eight of two and a half
        Network("dogecoin", timedelta(minutes=10), 100_000),  # ten of one
        Network("ethereum", timedelta(minutes=5), 1),  # twenty-five of twelve seconds
    )
}


def find_network(code: str) -> Network:
    """Return the record of `Asset.network`. Raises: KeyError."""
    return NETWORKS[code]
