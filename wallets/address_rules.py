"""What an address must look like, per chain, and in plain words what is wrong with one that does not.

Formats: BIP-173/350 (bech32), base58check, EIP-55 (Ethereum's mixed-case checksum). Wallets copy payment requests as well
(BIP-21, EIP-681): their address is taken, their amount is not: what is paid out is what the order says.
"""

import re
from urllib.parse import parse_qsl

from django.utils.translation import gettext_lazy as _
from embit import base58, bech32
from eth_utils.address import is_checksum_address, to_checksum_address

from core.errors import DomainError
from wallets.chains.params import KNOWN_HRP, KNOWN_VERSION, NETWORKS, Params

_HEX = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
MAX_TYPED = 500  # characters of what is given for an address: a payment request has a label and a message as well
_LONGEST = 130  # of an address itself: those of MWEB have 119
_TAPROOT, _TAPROOT_BYTES = 1, 32  # BIP-341; coins at other versions and lengths are anybody's
_HASH_BYTES = 21  # version byte and HASH160
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


class AddressMweb(AddressInvalid):
    code = "address_mweb"
    message = _(
        "This is a private (MWEB) address, which cannot be paid to. Let your wallet show an ordinary one, which starts with "
        "%(use)s."
    )


class AddressRequest(AddressInvalid):
    code = "address_request"
    message = _("This payment request asks for more than a payment of %(network)s. Enter the address alone.")


class AddressNobody(AddressInvalid):
    code = "address_nobody"
    message = _("Nobody has the key of this %(network)s address: coins sent there are lost. Enter your own.")


def check_address(network: str, params_name: str, text: str, *, chain_id: int = 0) -> str:
    """Return the canonical form of an address; white space around it is cut, inside it is an error.

    A payment request is read for its address; one of Ethereum that names a chain must name `chain_id`.
    Raises: AddressInvalid or one of its kin, each with a code and a reason in words.
    """
    text = text.strip()
    name = _NAMES.get(network, network)
    if network != "ethereum" and params_name != "main":
        name += f" {params_name}"
    if len(text) > MAX_TYPED or not text.isascii() or not text.isprintable() or " " in text:
        raise AddressInvalid(network=name)
    if ":" in text:
        text = _from_request(network, text, name, chain_id)
    if len(text) > _LONGEST:
        raise AddressInvalid(network=name)
    if network == "ethereum":
        return _check_ethereum(text, name)
    if _HEX.fullmatch(text):
        raise AddressOtherNetwork(other="Ethereum", network=name)
    return _check_family(NETWORKS[(network, params_name)], text, name)


def _from_request(network: str, text: str, name: str, chain_id: int) -> str:
    """Return the address of a payment request: https://github.com/bitcoin/bips/blob/master/bip-0021.mediawiki, EIP-681."""
    scheme, _colon, rest = text.partition(":")
    if scheme.lower() != network:
        other = _NAMES.get(scheme.lower())
        raise AddressOtherNetwork(other=other, network=name) if other else AddressInvalid(network=name)
    target, _mark, query = rest.removeprefix("//").partition("?")
    if network != "ethereum":
        # BIP-21: who does not know a "req-" parameter must not pay.
        if any(key.lower().startswith("req-") for key, _value in parse_qsl(query, keep_blank_values=True)):
            raise AddressRequest(network=name)
        return target
    target, slash, _function = target.removeprefix("pay-").partition("/")
    if slash:  # a call of a contract: a token's transfer
        raise AddressRequest(network=name)
    address, at, chain = target.partition("@")
    if at and chain != str(chain_id):
        raise AddressOtherNetwork(other=_("another network (chain %(id)s)") % {"id": chain[:20]}, network=name)
    return address


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
    # Checksums first, looks after: LTC1XL3… is a base58 address that begins like a bech32 one.
    payload = _base58(text)
    if len(payload) == _HASH_BYTES:
        return _check_version(params, text, payload, name)
    hrp = text.lower().rpartition("1")[0]
    if hrp in KNOWN_HRP:
        return _check_bech32(params, text, hrp, name)
    raise AddressInvalid(network=name) if payload else _why_not_base58(text, name)


def _check_version(params: Params, text: str, payload: bytes, name: str) -> str:
    version = payload[0]
    if version in params.p2pkh + params.p2sh:
        return text
    if version in params.p2sh_old:
        return str(base58.encode_check(bytes([params.p2sh[0]]) + payload[1:]))
    raise AddressOtherNetwork(other=KNOWN_VERSION.get(version, _("another network")), network=name)


def _check_bech32(params: Params, text: str, hrp: str, name: str) -> str:
    use = f"{params.hrp}1q"
    if "mweb" in hrp and name.startswith("Litecoin"):
        raise AddressMweb(network=name, use=use)
    if text not in (text.lower(), text.upper()):
        raise AddressChecksum(network=name)
    if hrp != params.hrp:
        raise AddressOtherNetwork(other=KNOWN_HRP[hrp], network=name)
    canonical = text.lower()
    version, program = bech32.decode(hrp, canonical)  # bech32 for version 0, bech32m for the others
    if version is None or program is None:
        raise AddressChecksum(network=name)
    if version == 0 or (version == _TAPROOT and len(program) == _TAPROOT_BYTES):
        return canonical
    raise AddressNotSupported(network=name, use=use)


def _base58(text: str) -> bytes:
    """Return what a base58check text holds, nothing when it is none."""
    try:
        return bytes(base58.decode_check(text))
    except Exception:  # noqa: BLE001 -- embit raises several kinds for malformed text; all mean the same here
        return b""


def _why_not_base58(text: str, name: str) -> AddressInvalid:
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    plausible = 26 <= len(text) <= 36 and all(letter in alphabet for letter in text)  # noqa: PLR2004 -- base58check
    return AddressChecksum(network=name) if plausible else AddressInvalid(network=name)


def _guess(text: str) -> str:
    """Name the network of a well-formed address of another coin, or nothing."""
    payload = _base58(text)
    if payload:
        return KNOWN_VERSION.get(payload[0], "")
    return KNOWN_HRP.get(text.lower().rpartition("1")[0], "")
