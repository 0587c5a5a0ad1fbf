"""The constants of each network: address prefixes and versions. Sources: each Core's chainparams.cpp, SLIP-173."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Params:
    """`hrp`: bech32 prefix; `p2pkh`, `p2sh`: base58 version bytes that are accepted."""

    hrp: str
    p2pkh: tuple[int, ...]
    p2sh: tuple[int, ...]


NETWORKS: dict[tuple[str, str], Params] = {
    ("litecoin", "main"): Params("ltc", (0x30,), (0x32,)),
    ("litecoin", "regtest"): Params("rltc", (0x6F,), (0x3A,)),
    ("bitcoin", "main"): Params("bc", (0x00,), (0x05,)),
    ("bitcoin", "regtest"): Params("bcrt", (0x6F,), (0xC4,)),
    ("dogecoin", "main"): Params("", (0x1E,), (0x16,)),
}

# What other networks' addresses look like, to say so instead of "invalid".
KNOWN_HRP = {
    "ltc": "Litecoin",
    "tltc": "Litecoin test network",
    "rltc": "Litecoin regtest",
    "ltcmweb": "Litecoin MWEB",
    "tmweb": "Litecoin MWEB",
    "bc": "Bitcoin",
    "tb": "Bitcoin test network",
    "bcrt": "Bitcoin regtest",
}
KNOWN_VERSION = {
    0x00: "Bitcoin",
    0x05: "Bitcoin",
    0x30: "Litecoin",
    0x32: "Litecoin",
    0x1E: "Dogecoin",
    0x16: "Dogecoin",
    0x6F: "a test network",
    0xC4: "a test network",
    0x3A: "a test network",
}
