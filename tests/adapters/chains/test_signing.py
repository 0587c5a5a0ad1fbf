import pytest
from embit import script
from embit.bip32 import HDKey
from embit.transaction import Transaction

from wallets.chains.derivation import derive_address, derive_key
from wallets.chains.signing import (
    BadTransaction,
    build_and_sign_evm,
    build_and_sign_utxo,
    read_signed_evm,
    script_of,
)

ACCOUNT = HDKey.from_seed(b"\x01" * 32).derive("m/84h/1h/0h")
PRIVATE = ACCOUNT.to_base58()
INPUTS = [("ab" * 32, 1, 3_000_000, 0, 4), ("cd" * 32, 0, 2_000_000, 1, 0)]


def address(index: int) -> str:
    return derive_address("litecoin", "regtest", ACCOUNT.to_public().to_base58(), 0, index)


def test_a_payment_says_what_was_asked_for_and_nothing_else() -> None:
    raw, txid, vsize = build_and_sign_utxo(INPUTS, [(address(1), 4_000_000), (address(2), 990_000)], PRIVATE)

    tx = Transaction.parse(bytes.fromhex(raw))
    assert [(i.txid.hex(), i.vout) for i in tx.vin] == [("ab" * 32, 1), ("cd" * 32, 0)]
    assert [o.value for o in tx.vout] == [4_000_000, 990_000]
    assert tx.vout[0].script_pubkey.address({"bech32": "rltc"}) == address(1)
    assert txid == tx.txid().hex()
    assert vsize in (208, 209)  # two P2WPKH inputs and two outputs, BIP-141


def test_the_same_request_gives_the_same_bytes() -> None:
    outputs = [(address(1), 4_000_000)]

    assert build_and_sign_utxo(INPUTS, outputs, PRIVATE) == build_and_sign_utxo(INPUTS, outputs, PRIVATE)


def test_a_payment_can_be_outbid() -> None:
    raw, _, _ = build_and_sign_utxo(INPUTS, [(address(1), 4_000_000)], PRIVATE)

    assert all(i.sequence < 0xFFFFFFFE for i in Transaction.parse(bytes.fromhex(raw)).vin)


def test_each_input_is_signed_by_its_own_key() -> None:
    raw, _, _ = build_and_sign_utxo(INPUTS, [(address(1), 4_000_000)], PRIVATE)

    tx = Transaction.parse(bytes.fromhex(raw))
    for place, (_, _, minor, branch, index) in enumerate(INPUTS):
        public = ACCOUNT.derive([branch, index]).key.get_public_key()
        signature, shown = tx.vin[place].witness.items
        digest = tx.sighash_segwit(place, script.p2pkh_from_p2wpkh(script.p2wpkh(public)), minor)
        assert shown == public.sec()
        assert public.verify(type(ACCOUNT.key.sign(digest)).parse(signature[:-1]), digest)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"),
        ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "a914b472a266d0bd89c13706a4132ccfb16f7c3b9fcb87"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    ],
)
def test_the_script_of_an_address(target, expected) -> None:
    assert script_of(target).data.hex() == expected


@pytest.mark.parametrize(
    "target",
    ["5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "0x" + "11" * 20, "", "bc1qw508d6qejxtdg4y5r3zarvary0c5x"],
    ids=["private-key", "ethereum", "nothing", "bad-checksum"],
)
def test_what_is_no_address_is_never_paid(target) -> None:
    with pytest.raises(BadTransaction):
        build_and_sign_utxo(INPUTS, [(target, 4_000_000)], PRIVATE)


def test_an_ethereum_payment_reads_back_as_it_was_asked_for() -> None:
    key, target = derive_key(PRIVATE, 1, 0), "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    raw, txid = build_and_sign_evm(31337, 5, target, 7 * 10**17, 21_000, 3 * 10**9, 10**9, key)

    said = read_signed_evm(raw)

    house = derive_address("ethereum", "main", ACCOUNT.to_public().to_base58(), 1, 0)
    assert (said.sender, said.nonce, said.value, said.chain_id) == (house, 5, 7 * 10**17, 31337)
    assert (said.to, said.gas, said.max_fee) == (target.lower(), 21_000, 3 * 10**9)
    assert (raw, txid) == build_and_sign_evm(31337, 5, target, 7 * 10**17, 21_000, 3 * 10**9, 10**9, key)
