"""Lengths and words at their edge: what a person may type for an address, which chain a request is for."""

import pytest

from core.snapshot import forget_all
from wallets.address_rules import MAX_TYPED, AddressInvalid, AddressNobody, check_address
from wallets.chain_ids import chain_id_of
from wallets.models import ChainState
from wallets.paying.refusals import SENDING_CODES, is_of_sending, wants_approval

LTC = "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3"


@pytest.mark.parametrize(
    ("length", "taken"),
    [(MAX_TYPED - 1, True), (MAX_TYPED, True), (MAX_TYPED + 1, False)],
    ids=["one below", "at it", "one above"],
)
def test_a_request_with_a_long_label_is_read_up_to_a_length(length: int, taken: bool) -> None:
    text = f"litecoin:{LTC}?label="
    text += "x" * (length - len(text))
    if taken:
        assert check_address("litecoin", "regtest", f"  {text}\n") == LTC
    else:
        with pytest.raises(AddressInvalid):
            check_address("litecoin", "regtest", text)


# an address of ether, and whether somebody can have its key
NUMBERS = [
    ("0x1000000000000000000000000000000000000000", True),
    ("0x0000000000000000000000000000000000010000", True),
    ("0x000000000000000000000000000000000000ffff", False),  # kept for precompiled contracts
    ("0x0000000000000000000000000000000000000000", False),
]


@pytest.mark.parametrize(("text", "somebodys"), NUMBERS)
def test_coins_are_not_sent_to_nobody(text: str, somebodys: bool) -> None:
    if somebodys:
        assert check_address("ethereum", "main", text).lower() == text
    else:
        with pytest.raises(AddressNobody):
            check_address("ethereum", "main", text)


# what the first scan pinned, and which chain a request of ether names
IDENTITIES = [
    ("1:0xab", 1),
    ("31337:0xab", 31337),
    ("0xab", 0),  # a chain with outputs: its genesis block alone
    ("7", 0),
    ("", 0),
    ("x:0xab", 0),
    ("-1:0xab", 0),
    ("\u0663:0xab", 0),  # a digit, and none of ASCII
]


@pytest.mark.django_db
@pytest.mark.parametrize(("identity", "chain_id"), IDENTITIES)
def test_a_chain_id_is_a_number_before_a_colon(identity: str, chain_id: int) -> None:
    ChainState.objects.create(code="ethereum", identity=identity)
    forget_all()
    assert chain_id_of("ethereum") == chain_id
    assert chain_id_of("litecoin") == 0
    forget_all()


def test_what_a_node_answered_gives_way_to_its_next_answer() -> None:
    assert {"fee_refused", "inputs_missing", "nonce_used", "node_refused", "node_silent"} <= SENDING_CODES
    for code in SENDING_CODES:
        for problem in (code, f"{code}: -26 words: more words", f"{code}:"):
            assert is_of_sending(problem), problem
            assert not wants_approval(problem), problem


@pytest.mark.parametrize(
    ("problem", "sending", "person"),
    [
        ("", True, False),
        ("ceiling: 5 is over: it", False, True),
        ("above_price", False, True),
        ("used_elsewhere: fee_refused", False, False),
        ("words: ceiling", False, False),
    ],
)
def test_what_stands_about_a_payout_otherwise_stays(problem: str, sending: bool, person: bool) -> None:
    assert is_of_sending(problem) is sending
    assert wants_approval(problem) is person
