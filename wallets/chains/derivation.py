"""Addresses and keys from account keys: m / branch / index below the account, derived twice by independent code.

BIP-32 with embit (libsecp256k1 through its own binding) and again with the bip32 package (coincurve); the encodings
differ too. https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki, BIP-84 and BIP-44 for the accounts.
"""

import hashlib
from functools import lru_cache

from bip32 import BIP32
from coincurve import PublicKey
from embit import script
from embit.bip32 import HDKey
from embit.ec import PublicKey as EmbitKey
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from wallets.chains.params import NETWORKS
from wallets.chains.segwit import encode_program


class DerivationMismatch(Exception):
    """The two derivations differ: no address may be shown, something is broken in this process."""


def derive_checked(network: str, params: str, account_key: str, branch: int, index: int) -> str:
    """Return the address at branch/index below a public account key. Raises: DerivationMismatch."""
    first = derive_address(network, params, account_key, branch, index)
    second = derive_again(network, params, account_key, branch, index)
    if first != second:
        raise DerivationMismatch(f"{network} {branch}/{index}")
    return first


def derive_address(network: str, params: str, account_key: str, branch: int, index: int) -> str:
    """Derive with embit."""
    public = _embit_branch(account_key, branch).child(index).get_public_key()
    if network == "ethereum":
        x_y = EmbitKey(public._point, compressed=False).sec()[1:]  # noqa: SLF001 -- embit has no other way
        return str(to_checksum_address(keccak(x_y)[-20:]))
    return str(script.p2wpkh(public).address({"bech32": NETWORKS[(network, params)].hrp}))


@lru_cache(maxsize=64)
def _embit_branch(account_key: str, branch: int) -> HDKey:
    return HDKey.from_string(account_key).child(branch)


@lru_cache(maxsize=64)
def _bip32_account(account_key: str) -> BIP32:
    return BIP32.from_xpub(account_key)


def derive_again(network: str, params: str, account_key: str, branch: int, index: int) -> str:
    """Derive with the bip32 package and encode by hand: the independent second opinion."""
    compressed = _bip32_account(account_key).get_pubkey_from_path([branch, index])
    if network == "ethereum":
        x_y = PublicKey(compressed).format(compressed=False)[1:]
        return _eip55(keccak(x_y)[-20:].hex())
    digest = hashlib.new("ripemd160", hashlib.sha256(compressed).digest()).digest()
    return encode_program(NETWORKS[(network, params)].hrp, digest)


def _eip55(body: str) -> str:
    """EIP-55: a letter is upper case where the hash of the lower-case address has a nibble of 8 or more."""
    nibbles = keccak(text=body).hex()
    return "0x" + "".join(c.upper() if int(n, 16) >= 8 else c for c, n in zip(body, nibbles, strict=False))  # noqa: PLR2004


def derive_key(account_private: str, branch: int, index: int) -> bytes:
    """Return the 32-byte private key at branch/index. For the signer alone."""
    return bytes(HDKey.from_string(account_private).derive([branch, index]).key.secret)
