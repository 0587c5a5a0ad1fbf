"""What the Bitcoin-family adapter concludes from answers that a regtest node does not give."""

from decimal import Decimal
from typing import Any

import pytest

from wallets.chains.core_rpc import CoreChain, minor
from wallets.chains.protocol import ChainError, Movement, TooLarge
from wallets.chains.rpc import RPCError

HASH, TXID = "ab" * 32, "12" * 32


class ScriptedNode:
    """Answers each method from a table; an exception in it is raised."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def call(self, method: str, *_: Any) -> Any:
        answer = self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def batch(self, questions: list[tuple[str, list[Any]]]) -> list[Any]:
        return [self.call(method) for method, _ in questions]


ENTRY = {"vsize": 100, "ancestorsize": 100, "fees": {"base": Decimal("0.00002"), "ancestor": Decimal("0.00002")}}


def chain(**answers: Any) -> CoreChain:
    adapter = CoreChain("litecoin", "http://localhost")
    adapter.rpc = ScriptedNode(answers)  # type: ignore[assignment]
    return adapter


def output(n: int, value: str, script: dict[str, Any]) -> dict[str, Any]:
    return {"n": n, "value": Decimal(value), "scriptPubKey": script}


def block(*txs: dict[str, Any]) -> dict[str, Any]:
    return {"height": 9, "hash": HASH, "previousblockhash": "cd" * 32, "time": 1_700_000_000, "tx": list(txs)}


COINBASE = {"txid": "01" * 32, "vin": [{"coinbase": "00"}], "vout": [output(0, "12.5", {"addresses": ["miner"]})]}
PEG_OUT = {
    "txid": TXID,
    "vin": [{"txid": "02" * 32, "vout": 0}],
    "vout": [output(0, "100", {"hex": "5820" + "00" * 32}), output(1, "0.5", {"hex": "0014", "addresses": ["alice"]})],
}


def test_the_peg_out_carrier_is_marked_so_that_its_outputs_can_mature() -> None:
    first, last = chain(getblock=block(COINBASE, PEG_OUT)).read_block(HASH).txs

    assert (first.coinbase, first.hogex) == (True, False)
    assert (last.coinbase, last.hogex) == (False, True)
    assert last.movements == (Movement("1", "alice", 50_000_000),)


def test_confidential_inputs_and_outputs_in_the_mempool_are_skipped() -> None:
    mixed = {
        "txid": TXID,
        "vin": [{"ismweb": True, "output_id": "aa"}, {"txid": "02" * 32, "vout": 3}],
        "vout": [{"ismweb": True, "output_id": "bb"}, output(0, "0.00000001", {"address": "alice"})],
    }

    tx = chain(getrawtransaction=mixed, getmempoolentry=ENTRY).read_mempool_tx(TXID)

    assert (tx.movements, tx.spends) == ((Movement("0", "alice", 1),), (("02" * 32, 3),))


# What litecoind 0.21.2.1 answered on a regtest chain whose MWEB was alive, proofs left out: 1.5 coins leave MWEB.
LEAVING = {
    "txid": "475f6ba4aed161a5eb2b1308ffe88522480f11de163dc414154ab10029370091",
    "vsize": 31,
    "vin": [{"ismweb": True, "output_id": "3720de61f226ec4b0b0c073cbb907a966889147918d26464e9ea1c58eb4a51f7"}],
    "vout": [{"ismweb": True, "output_id": "5d59237c7734f5e58b0cebc17aacf8e4ffb13db1af75f5147e6b40c627979a1c"}],
    "vkern": [
        {
            "kernel_id": "9100372900b14a1514c43d16de110f482285e8ff08132beba561d1aea46b5f47",
            "fee": Decimal("0.0000282"),
            "pegin": Decimal("0.0"),
            "pegout": [
                {
                    "value": Decimal("1.5"),
                    "scriptPubKey": {
                        "asm": "0 f8e41d62f4d3d47c3bfad11cf4c45ee8143efda2",
                        "hex": "0014f8e41d62f4d3d47c3bfad11cf4c45ee8143efda2",
                        "reqSigs": 1,
                        "type": "witness_v0_keyhash",
                        "addresses": ["rltc1qlrjp6ch56028cwl66yw0f3z7aq2raldzt2ja2a"],
                    },
                }
            ],
        }
    ],
}
LEAVING_ENTRY = {
    "fees": {"base": Decimal("0.0000282"), "ancestor": Decimal("0.0000282")},
    "vsize": 31,
    "mwebweight": 22,
    "ancestorsize": 31,
    "ancestormwebweight": 22,
}


def test_what_leaves_mweb_is_read_from_its_kernels() -> None:
    tx = chain(getrawtransaction=LEAVING, getmempoolentry=LEAVING_ENTRY).read_mempool_tx(LEAVING["txid"])

    assert (tx.movements, tx.spends) == ((), ())
    assert tx.pegouts == (Movement("0.0", "rltc1qlrjp6ch56028cwl66yw0f3z7aq2raldzt2ja2a", 150_000_000),)


def test_a_pegout_is_known_by_its_kernel_and_its_place_there() -> None:
    def kernel(*values: str) -> dict[str, Any]:
        return {"pegout": [{"value": Decimal(v), "scriptPubKey": {"addresses": ["alice"]}} for v in values]}

    two = {**LEAVING, "vkern": [kernel(), kernel("1", "2"), {"fee": 0}, kernel("2")]}

    tx = chain(getrawtransaction=two, getmempoolentry=LEAVING_ENTRY).read_mempool_tx(TXID)

    assert [(m.position, m.minor) for m in tx.pegouts] == [("1.0", 10**8), ("1.1", 2 * 10**8), ("3.0", 2 * 10**8)]


@pytest.mark.parametrize(
    ("changed", "rate"),
    [
        ({}, 20),  # 2,820 less 22 x 100 for MWEB, over 31 bytes
        ({"fees": {"base": Decimal("0.0000281"), "ancestor": Decimal(1)}}, 19),
        ({"fees": {"base": Decimal(1), "ancestor": Decimal("0.0000281")}}, 19),
        ({"fees": {"base": Decimal("0.000021"), "ancestor": Decimal(1)}}, 0),  # less than MWEB itself costs
        ({"vsize": 0, "ancestorsize": 0}, 620),
    ],
)
def test_what_mweb_costs_is_no_part_of_the_offered_rate(changed, rate) -> None:
    entry = {**LEAVING_ENTRY, **changed}

    assert chain(getrawtransaction=LEAVING, getmempoolentry=entry).read_mempool_tx(TXID).rate_minor == rate


def test_an_output_that_several_keys_share_is_nobodys_movement() -> None:
    shared = {"txid": TXID, "vin": [], "vout": [output(0, "1", {"addresses": ["alice", "bob"]})]}

    assert chain(getrawtransaction=shared, getmempoolentry=ENTRY).read_mempool_tx(TXID).movements == ()


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(Decimal("0.00000001"), 1), (Decimal("83999999.99999999"), 8_399_999_999_999_999), (3, 300_000_000)],
)
def test_amounts_are_exact(amount, expected) -> None:
    assert minor(amount) == expected


def test_an_amount_with_nine_places_is_an_error() -> None:
    with pytest.raises(ChainError):
        minor(Decimal("0.000000001"))


def test_a_transaction_in_an_abandoned_block_is_not_mined() -> None:
    stale = {"txid": TXID, "blockhash": HASH, "confirmations": 0}

    assert chain(getrawtransaction=stale).find_tx(TXID).state == "unknown"


@pytest.mark.parametrize("facts", [{}, {"blocks": "x", "bestblockhash": HASH}, [], None, "down for maintenance"])
def test_an_answer_of_another_shape_is_an_error_of_the_node(facts) -> None:
    node = chain(getblockchaininfo=facts, getnetworkinfo={"connections": 8}, getblockheader={"time": 5})

    with pytest.raises(ChainError, match="makes no sense"):
        node.tip()


@pytest.mark.parametrize(("headers", "syncing"), [(5, False), (6, False), (11, False), (12, True), (500, True)])
def test_a_header_without_its_block_is_no_catching_up_but_many_are(headers: int, syncing: bool) -> None:
    facts = {"blocks": 5, "headers": headers, "bestblockhash": HASH, "initialblockdownload": False, "chain": "main"}
    node = chain(getblockchaininfo=facts, getnetworkinfo={"connections": 8}, getblockheader={"time": 5})

    assert node.tip().syncing is syncing
    assert node.tip().peers == 8


@pytest.mark.parametrize("said", ["Block not available (pruned data)", "Block not found on disk"])
def test_a_block_that_the_node_does_not_have_is_named_as_that(said: str) -> None:
    with pytest.raises(ChainError, match=f"block_missing: .*{HASH}"):
        chain(getblock=RPCError(-1, said)).read_block(HASH)


class Halving(ScriptedNode):
    """Answers a whole block with too much, and what it holds one by one."""

    def call(self, method: str, *params: Any) -> Any:
        if method == "getblock":
            if params[1] == 2:
                raise TooLarge("answer over 16 MB")
            return block(*[]) | {"tx": [COINBASE["txid"], "03" * 32, TXID]}
        return super().call(f"{method} {params[0]}")


def test_a_block_that_is_too_much_at_once_is_read_one_by_one_and_names_what_cannot_be_had() -> None:
    adapter = CoreChain("litecoin", "http://localhost")
    singles = {COINBASE["txid"]: COINBASE, "03" * 32: TooLarge("answer over 16 MB"), TXID: PEG_OUT}
    adapter.rpc = Halving({f"getrawtransaction {txid}": tx for txid, tx in singles.items()})  # type: ignore[assignment]

    read = adapter.read_block(HASH)

    assert [(tx.txid, tx.coinbase, tx.hogex) for tx in read.txs] == [
        (COINBASE["txid"], True, False),
        (TXID, False, True),
    ]
    assert [txid for txid, _ in read.unread] == ["03" * 32]


def test_a_transaction_that_makes_no_sense_is_named_and_the_others_are_read() -> None:
    odd = {"txid": TXID, "vin": [], "vout": [output(0, "0.000000001", {"addresses": ["alice"]})]}

    read = chain(getblock=block(COINBASE, odd)).read_block(HASH)

    assert [tx.coinbase for tx in read.txs] == [True]
    assert [txid for txid, _ in read.unread] == [TXID]


@pytest.mark.parametrize(("code", "said"), [(-5, "Block not found"), (-28, "Loading block index...")])
def test_other_errors_about_a_block_are_told_as_they_are(code: int, said: str) -> None:
    with pytest.raises(ChainError, match=said) as caught:
        chain(getblock=RPCError(code, said)).read_block(HASH)
    assert "block_missing" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "size", "with_ancestors", "ancestor_size", "rate"),
    [
        ("0.00002", 100, "0.00002", 100, 20),
        ("0.00001999", 100, "0.00001999", 100, 19),
        ("0.0001", 100, "0.000101", 300, 33),  # a rich child does not carry its poor parent all the way
        ("0.0001", 100, "0.01", 200, 100),  # and a rich parent carries nobody
    ],
)
def test_an_unmined_payment_offers_no_more_than_with_its_ancestors(
    base, size, with_ancestors, ancestor_size, rate
) -> None:
    fees = {"base": Decimal(base), "ancestor": Decimal(with_ancestors)}
    entry = {"vsize": size, "ancestorsize": ancestor_size, "fees": fees}
    paid = {"txid": TXID, "vin": [], "vout": []}

    assert chain(getrawtransaction=paid, getmempoolentry=entry).read_mempool_tx(TXID).rate_minor == rate


def test_a_transaction_that_left_the_mempool_meanwhile_is_gone() -> None:
    gone = RPCError(-5, "Transaction not in mempool")

    assert chain(getrawtransaction={"txid": TXID}, getmempoolentry=gone).read_mempool_tx(TXID) is None


def test_an_error_that_is_not_about_the_transaction_is_not_its_absence() -> None:
    node = chain(getrawtransaction=RPCError(-28, "Loading block index..."))

    with pytest.raises(ChainError):
        node.find_tx(TXID)
    with pytest.raises(ChainError):
        node.read_mempool_tx(TXID)
