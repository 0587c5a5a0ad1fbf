"""Build and sign transactions: pure functions of their arguments, deterministic (RFC 6979), nothing stored or sent.

Bitcoin family: P2WPKH inputs, replaceable by fee (BIP-125). Ethereum: EIP-1559 transactions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from embit import base58, bech32, script, transaction
from embit.bip32 import HDKey
from embit.script import Witness

from wallets.chains.params import NETWORKS

_REPLACEABLE = 0xFFFFFFFD
_SIGHASH_ALL = b"\x01"
_VERSION_AND_HASH = 21
_P2PKH = {version for params in NETWORKS.values() for version in params.p2pkh}
_P2SH = {version for params in NETWORKS.values() for version in params.p2sh}


class BadTransaction(ValueError):
    """What was built does not say what was asked for: it must not leave the process."""


def build_and_sign_utxo(
    inputs: Sequence[tuple[str, int, int, int, int]],
    outputs: Sequence[tuple[str, int]],
    account_private: str,
) -> tuple[str, str, int]:
    """Sign a payment and return (raw hex, txid, virtual size).

    `inputs`: (txid, vout, minor, branch, index); `outputs`: (address, minor), in this order. What was built is decoded
    again and compared with what was asked for. Raises: BadTransaction.
    """
    account = HDKey.from_string(account_private)
    keys = [account.derive([branch, index]).key for _, _, _, branch, index in inputs]
    vin = [transaction.TransactionInput(bytes.fromhex(txid), vout, sequence=_REPLACEABLE) for txid, vout, *_ in inputs]
    vout = [transaction.TransactionOutput(minor, script_of(address)) for address, minor in outputs]
    tx = transaction.Transaction(version=2, vin=vin, vout=vout, locktime=0)
    for place, (key, (_, _, minor, _, _)) in enumerate(zip(keys, inputs, strict=True)):
        public = key.get_public_key()
        digest = tx.sighash_segwit(place, script.p2pkh_from_p2wpkh(script.p2wpkh(public)), minor)
        tx.vin[place].witness = Witness([key.sign(digest).serialize() + _SIGHASH_ALL, public.sec()])
    raw = tx.serialize()
    _compare(raw, inputs, outputs)
    return raw.hex(), tx.txid().hex(), _virtual_size(tx, raw)


def script_of(address: str) -> script.Script:
    """Return the output script of an address of the family; bech32 by program, base58 by version.

    Raises: BadTransaction for anything else.
    """
    hrp = address.lower().rpartition("1")[0]
    if hrp:
        version, program = bech32.decode(hrp, address)
        if version is not None:
            return script.Script(bytes([0x50 + version if version else 0, len(program)]) + bytes(program))
    try:
        payload = base58.decode_check(address)
    except Exception:  # noqa: BLE001 -- embit raises several kinds for malformed text; all mean the same here
        payload = b""
    if len(payload) == _VERSION_AND_HASH and payload[0] in _P2SH:
        return script.Script(b"\xa9\x14" + payload[1:] + b"\x87")
    if len(payload) == _VERSION_AND_HASH and payload[0] in _P2PKH:
        return script.Script(b"\x76\xa9\x14" + payload[1:] + b"\x88\xac")
    raise BadTransaction(f"{address} is no address that this code pays to")


def _compare(raw: bytes, inputs: Sequence[tuple[str, int, int, int, int]], outputs: Sequence[tuple[str, int]]) -> None:
    built = transaction.Transaction.parse(raw)
    spends = [(i.txid.hex(), i.vout) for i in built.vin]
    pays = [(o.script_pubkey.data, o.value) for o in built.vout]
    wanted = [(script_of(address).data, minor) for address, minor in outputs]
    if spends != [(txid, vout) for txid, vout, *_ in inputs] or pays != wanted:
        raise BadTransaction("the signed transaction differs from the request")


def _virtual_size(tx: transaction.Transaction, raw: bytes) -> int:
    """BIP-141: weight is three times the size without witnesses plus the whole size; a virtual byte is four units."""
    witnesses = sum(len(i.witness.serialize()) for i in tx.vin)
    stripped = len(raw) - witnesses - 2
    return -(-(stripped * 3 + len(raw)) // 4)


def build_and_sign_evm(
    chain_id: int, nonce: int, to: str, value: int, gas: int, max_fee: int, priority: int, key: bytes
) -> tuple[str, str]:
    """Sign a plain value transfer and return (raw hex, txid); all amounts in wei."""
    from eth_account import Account  # noqa: PLC0415 -- takes seconds to import; web processes never need it

    signed = Account.sign_transaction(
        {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonce,
            "to": to,
            "value": value,
            "gas": gas,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": priority,
        },
        key,
    )
    return "0x" + signed.raw_transaction.hex().removeprefix("0x"), "0x" + signed.hash.hex().removeprefix("0x")


@dataclass(frozen=True, slots=True)
class SignedTransfer:
    """What a signed EIP-1559 transaction says; `to` is in lower case and empty where a contract is made."""

    sender: str
    nonce: int
    to: str
    value: int
    gas: int
    max_fee: int
    priority: int
    chain_id: int


def read_signed_evm(raw: str) -> SignedTransfer:
    """Read a signed EIP-1559 transaction back, sender included. Raises: ValueError, TypeError and kin for other bytes."""
    from eth_account import Account  # noqa: PLC0415 -- takes seconds to import; web processes never need it
    from eth_account.typed_transactions.typed_transaction import TypedTransaction  # noqa: PLC0415 -- likewise
    from hexbytes import HexBytes  # noqa: PLC0415 -- likewise

    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return SignedTransfer(
        sender=str(Account.recover_transaction(raw)),
        nonce=int(fields["nonce"]),
        to="0x" + bytes(fields["to"]).hex() if fields["to"] else "",
        value=int(fields["value"]),
        gas=int(fields["gas"]),
        max_fee=int(fields["maxFeePerGas"]),
        priority=int(fields["maxPriorityFeePerGas"]),
        chain_id=int(fields["chainId"]),
    )
