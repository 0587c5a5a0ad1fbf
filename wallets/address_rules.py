"""What an address must look like, per chain, and in plain words what is wrong with one that does not.

Formats: BIP-173/350 (bech32), base58check, EIP-55 (Ethereum's mixed-case checksum).
"""

import re

from django.utils.translation import gettext_lazy as _
from embit import base58, bech32
from eth_utils.address import is_checksum_address, to_checksum_address

from core.errors import DomainError
from wallets.chains.params import KNOWN_HRP, KNOWN_VERSION, NETWORKS, Params

_HEX = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_RESERVED = 0xFFFF  # the zero address and the numbers kept for precompiled contracts
_NAMES = {"litecoin": "Litecoin", "bitcoin": "Bitcoin", "dogecoin": "Dogecoin", "ethereum": "Ethereum"}


class AddressInvalid(DomainError):
    code = "address_invalid"
    message = _("This is not a valid %(network)s address: it has invalid characters or the wrong length.")


class AddressChecksum(AddressInvalid):
    code = "address_checksum"
    message = _("This %(network)s address has a typing error: its checksum does not match. Copy it again.")


class AddressOtherNetwork(AddressInvalid):
    code = "address_other_network"
    message = _("This is an address of %(other)s. Enter a valid %(network)s address.")


class AddressNotSupported(AddressInvalid):
    code = "address_not_supported"
    message = _("This kind of %(network)s address is not supported. Use an ordinary address that starts with %(use)s.")


class AddressNobody(AddressInvalid):
    code = "address_nobody"
    message = _("Nobody has the key of this %(network)s address: coins sent there are lost. Enter your own.")


def check_address(network: str, params_name: str, text: str) -> str:
    """Return the canonical form of an address; white space around it is cut, inside it is an error.

    Raises: AddressInvalid or one of its kin, each with a code and a reason in words.
    """
    text = text.strip()
    name = _NAMES.get(network, network)
    if network != "ethereum" and params_name != "main":
        name += f" {params_name}"
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > 110:  # noqa: PLR2004 -- far above all
        raise AddressInvalid(network=name)
    if network == "ethereum":
        return _check_ethereum(text, name)
    if _HEX.fullmatch(text):
        raise AddressOtherNetwork(other="Ethereum", network=name)
    return _check_family(NETWORKS[(network, params_name)], text, name)


def _check_ethereum(text: str, name: str) -> str:
    if not _HEX.fullmatch(text):
        other = _guess(text)
        if other:
            raise AddressOtherNetwork(other=other, network=name)
        raise AddressInvalid(network=name)
    body = text[2:]
    if body != body.lower() and body != body.upper() and not is_checksum_address(text):
        raise AddressChecksum(network=name)
    canonical = to_checksum_address(text)
    if int(body, 16) <= _RESERVED:
        raise AddressNobody(network=name)
    return str(canonical)


def _check_family(params: Params, text: str, name: str) -> str:
    hrp = text.lower().rpartition("1")[0]
    if hrp in KNOWN_HRP:
        return _check_bech32(params, text, hrp, name)
    try:
        payload = base58.decode_check(text)
    except Exception:  # noqa: BLE001 -- embit raises several kinds for malformed text; all mean the same here
        raise _why_not_base58(text, name) from None
    if len(payload) != 21:  # noqa: PLR2004 -- version byte and HASH160
        raise AddressInvalid(network=name)
    version = payload[0]
    if version in params.p2pkh + params.p2sh:
        return text
    if version == 0x05 and params.hrp == "ltc":  # noqa: PLR2004 -- old Litecoin P2SH looks like Bitcoin's
        raise AddressNotSupported(network=name, use="M")
    raise AddressOtherNetwork(other=KNOWN_VERSION.get(version, _("another network")), network=name)


def _check_bech32(params: Params, text: str, hrp: str, name: str) -> str:
    if text not in (text.lower(), text.upper()):
        raise AddressChecksum(network=name)
    if hrp != params.hrp:
        if "mweb" in hrp and name.startswith("Litecoin"):
            raise AddressNotSupported(network=name, use=f"{params.hrp}1q")
        raise AddressOtherNetwork(other=KNOWN_HRP[hrp], network=name)
    canonical = text.lower()
    version, program = bech32.decode(hrp, canonical)
    if version is None or program is None:
        raise AddressChecksum(network=name)
    if version != 0:
        raise AddressNotSupported(network=name, use=f"{params.hrp}1q")
    return canonical


def _why_not_base58(text: str, name: str) -> AddressInvalid:
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    plausible = 26 <= len(text) <= 36 and all(letter in alphabet for letter in text)  # noqa: PLR2004 -- base58check
    return AddressChecksum(network=name) if plausible else AddressInvalid(network=name)


def _guess(text: str) -> str:
    """Name the network of a well-formed address of another coin, or nothing."""
    hrp = text.lower().rpartition("1")[0]
    if hrp in KNOWN_HRP:
        return KNOWN_HRP[hrp]
    try:
        payload = base58.decode_check(text)
    except Exception:  # noqa: BLE001 -- embit raises several kinds for malformed text; all mean the same here
        return ""
    return KNOWN_VERSION.get(payload[0], "") if payload else ""
