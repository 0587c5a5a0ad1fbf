"""The constants of each network: address prefixes and versions. Sources: each Core's chainparams.cpp, SLIP-173."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Params:
    """`hrp`: bech32 prefix; `p2pkh`, `p2sh`: base58 version bytes that are accepted.

    `p2sh_old`: versions that once stood for the same script hash, accepted and rewritten to p2sh[0]: Litecoin's are those
    of Bitcoin (`3…`), and its nodes still take them.
    """

    hrp: str
    p2pkh: tuple[int, ...]
    p2sh: tuple[int, ...]
    p2sh_old: tuple[int, ...] = ()


NETWORKS: dict[tuple[str, str], Params] = {
    ("litecoin", "main"): Params("ltc", (0x30,), (0x32,), (0x05,)),
    ("litecoin", "regtest"): Params("rltc", (0x6F,), (0x3A,), (0xC4,)),
    ("bitcoin", "main"): Params("bc", (0x00,), (0x05,)),
    ("bitcoin", "regtest"): Params("bcrt", (0x6F,), (0xC4,)),
    ("dogecoin", "main"): Params("", (0x1E,), (0x16,)),
}

# What other networks' addresses look like, to say so instead of "invalid".
KNOWN_HRP = {
    "ltc": "Litecoin mainnet",
    "tltc": "Litecoin testnet",
    "rltc": "Litecoin regtest",
    "ltcmweb": "Litecoin MWEB",
    "tmweb": "Litecoin MWEB",
    "bc": "Bitcoin mainnet",
    "tb": "Bitcoin testnet",
    "bcrt": "Bitcoin regtest",
}
KNOWN_VERSION = {
    0x00: "Bitcoin mainnet",
    0x05: "Bitcoin mainnet",
    0x30: "Litecoin mainnet",
    0x32: "Litecoin mainnet",
    0x1E: "Dogecoin mainnet",
    0x16: "Dogecoin mainnet",
    0x71: "Dogecoin testnet",
    0x6F: "Bitcoin or Litecoin testnet",
    0xC4: "Bitcoin or Litecoin testnet",
    0x3A: "Litecoin testnet",
}
