import pytest
from embit import base58, bech32

from wallets.address_rules import AddressInvalid, check_address
from wallets.addresses import check_customer_address
from wallets.chains.signing import script_of
from wallets.models import ChainState

LTC = "ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh"
BTC = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
ETH = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
BTC_LEGACY = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
BTC_SCRIPT = "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"
TAPROOT = "rltc1pqypqxpq9qcrsszg2pvxq6rs0zqg3yyc5z5tpwxqergd3c8g7rusquyeyyt"  # litecoind 0.21.2 calls it valid


def b58(version, payload):
    return base58.encode_check(bytes([version]) + payload)


def segwit(hrp, version, length):
    return bech32.encode(hrp, version, list(range(1, length + 1)))


@pytest.mark.parametrize(
    ("network", "params", "text", "canonical"),
    [
        ("litecoin", "main", LTC, LTC),
        ("litecoin", "main", LTC.upper(), LTC),
        ("litecoin", "main", f"  {LTC}\n", LTC),
        ("bitcoin", "main", BTC_LEGACY, BTC_LEGACY),
        ("ethereum", "regtest", ETH, ETH),
        ("ethereum", "main", ETH.lower(), ETH),
        ("ethereum", "main", "0x" + ETH[2:].upper(), ETH),
    ],
)
def test_an_address_has_one_canonical_form(network, params, text, canonical) -> None:
    assert check_address(network, params, text) == canonical


@pytest.mark.parametrize(
    ("network", "text", "code", "words"),
    [
        ("litecoin", BTC, "address_other_network", "Bitcoin mainnet"),
        ("litecoin", BTC_LEGACY, "address_other_network", "Bitcoin mainnet"),
        ("litecoin", ETH, "address_other_network", "Ethereum"),
        ("litecoin", "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L", "address_other_network", "Dogecoin"),
        ("litecoin", LTC[:-1] + "q", "address_checksum", "typing error"),
        ("litecoin", LTC[:10] + LTC[10:].upper(), "address_checksum", "typing error"),
        ("litecoin", "ltc1p" + "q" * 58, "address_checksum", "typing error"),
        ("litecoin", LTC[:20] + " " + LTC[20:], "address_invalid", "invalid characters"),
        ("litecoin", LTC.replace("q", "\u0566", 1), "address_invalid", "invalid characters"),
        ("litecoin", "L" + "\u0430" * 33, "address_invalid", "invalid characters"),
        ("litecoin", "", "address_invalid", "invalid characters"),
        ("litecoin", "x" * 200, "address_invalid", "invalid characters"),
        ("litecoin", "hello", "address_invalid", "invalid characters"),
        ("ethereum", ETH[:-1] + "9", "address_checksum", "typing error"),
        ("ethereum", ETH.replace("C5", "c5"), "address_checksum", "typing error"),
        ("ethereum", "0x" + "0" * 40, "address_nobody", "Nobody has the key"),
        ("ethereum", "0x" + "0" * 39 + "1", "address_nobody", "Nobody has the key"),
        ("ethereum", LTC, "address_other_network", "Litecoin mainnet"),
        ("ethereum", BTC_LEGACY, "address_other_network", "Bitcoin mainnet"),
        ("ethereum", ETH[2:], "address_invalid", "Ethereum"),
        ("ethereum", ETH + "0", "address_invalid", "Ethereum"),
        ("ethereum", "0x" + "\uff11" * 40, "address_invalid", "invalid characters"),
        ("ethereum", "vitalik.eth", "address_invalid", "Ethereum"),
    ],
)
def test_what_is_wrong_is_said(network, text, code, words) -> None:
    with pytest.raises(AddressInvalid) as refusal:
        check_address(network, "main", text)

    assert refusal.value.code == code
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "other"), [(LTC, "Litecoin mainnet"), ("MQMcJhpWHYVeQArcZR3sBgyPZxxRtnH441", "Litecoin mainnet")]
)
def test_a_real_address_in_the_demo_is_told_apart_by_its_network(text, other) -> None:
    with pytest.raises(AddressInvalid) as refusal:
        check_address("litecoin", "regtest", text)

    assert refusal.value.code == "address_other_network"
    assert other in str(refusal.value)
    assert "Litecoin regtest" in str(refusal.value)


MWEB = "ltcmweb1" + "q" * 111  # the length that wallets show


@pytest.mark.parametrize(
    ("network", "params", "text", "canonical"),
    [
        # base58 that begins like bech32: the checksum decides, not the looks
        ("litecoin", "main", "LTC1XL3Uwdj8DipyL9qPpoaVawkEPLQ7Yq", "LTC1XL3Uwdj8DipyL9qPpoaVawkEPLQ7Yq"),
        # Litecoin's old script addresses, which its nodes still take, have one canonical form
        ("litecoin", "main", BTC_SCRIPT, b58(0x32, base58.decode_check(BTC_SCRIPT)[1:])),
        ("litecoin", "main", "MQMcJhpWHYVeQArcZR3sBgyPZxxRtnH441", "MQMcJhpWHYVeQArcZR3sBgyPZxxRtnH441"),
        ("litecoin", "regtest", "2MsFFCK16VhsCcvPXruztdzzcTZEQCbNKjJ", "QLc1KKsLWovHm79aV22uihS3bwgECPid8z"),
        ("bitcoin", "main", BTC_SCRIPT, BTC_SCRIPT),
        # taproot
        ("litecoin", "regtest", TAPROOT, TAPROOT),
        ("litecoin", "regtest", TAPROOT.upper(), TAPROOT),
    ],
)
def test_each_kind_that_can_be_paid_is_taken(network, params, text, canonical) -> None:
    assert check_address(network, params, text) == canonical


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (MWEB, "address_mweb", "starts with ltc1q"),
        (MWEB.upper(), "address_mweb", "private (MWEB)"),
        ("ltcmweb1" + "q" * 60, "address_mweb", "private (MWEB)"),
        ("LTC1XL3Uwdj8DipyL9qPpoaVawkEPLQ7Yr", "address_checksum", "typing error"),
        (b58(0x30, bytes(19)), "address_invalid", "wrong length"),
        (b58(0x30, bytes(21)), "address_invalid", "wrong length"),
        (b58(0x30, bytes(32)), "address_invalid", "wrong length"),
        (segwit("ltc", 1, 20), "address_not_supported", "ltc1q"),
        (segwit("ltc", 1, 33), "address_not_supported", "ltc1q"),
        (segwit("ltc", 2, 32), "address_not_supported", "ltc1q"),
        (segwit("ltc", 9, 32), "address_not_supported", "ltc1q"),  # anybody's coins, or MWEB's own
        (segwit("ltc", 1, 32)[:-1], "address_checksum", "typing error"),
        (segwit("bc", 1, 32), "address_other_network", "Bitcoin mainnet"),
    ],
)
def test_each_kind_that_cannot_be_paid_is_named(text, code, words) -> None:
    with pytest.raises(AddressInvalid) as refusal:
        check_address("litecoin", "main", text)

    assert (refusal.value.code, words in str(refusal.value)) == (code, True)


# https://github.com/bitcoin/bips/blob/master/bip-0350.mediawiki#test-vectors-for-v0-v16-native-segregated-witness-addresses
BIP350 = {
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4": "",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0": "",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y": "address_not_supported",
    "BC1SW50QGDZ25J": "address_not_supported",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs": "address_not_supported",
    "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy": "address_other_network",
    "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut": "address_invalid",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd": "address_checksum",
    "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL": "address_checksum",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh": "address_checksum",
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4": "address_checksum",
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R": "address_checksum",
    "bc1pw5dgrnzv": "address_checksum",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav": "address_checksum",
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P": "address_checksum",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf": "address_checksum",
    "bc1gmk9yu": "address_checksum",
}


@pytest.mark.parametrize("text", BIP350)
def test_the_published_vectors(text) -> None:
    if not BIP350[text]:
        assert check_address("bitcoin", "main", text) == text.lower()
        return
    with pytest.raises(AddressInvalid) as refusal:
        check_address("bitcoin", "main", text)
    assert refusal.value.code == BIP350[text]


@pytest.mark.parametrize(
    ("network", "request_", "expected"),
    [
        ("litecoin", f"litecoin:{LTC}", LTC),
        ("litecoin", f"LITECOIN:{LTC.upper()}?AMOUNT=1.5", LTC),
        ("litecoin", f"litecoin:{LTC}?amount=1.5&label=My%20wallet&message=a%3Ab@c", LTC),
        ("litecoin", f"litecoin:{LTC}?req-somethingyoudontunderstand=50", "address_request"),
        ("litecoin", f"litecoin:{LTC}?amount=1&REQ-x", "address_request"),
        ("litecoin", f"bitcoin:{BTC}?amount=1", "address_other_network"),
        ("litecoin", f"ethereum:{ETH}", "address_other_network"),
        ("litecoin", f"litecoin:{BTC}", "address_other_network"),
        ("litecoin", "litecoin:", "address_invalid"),
        ("litecoin", f"https://example.org/{LTC}", "address_invalid"),
        ("litecoin", f"litecoin:{LTC}?message={'x' * 600}", "address_invalid"),
        ("ethereum", f"ethereum:{ETH}", ETH),
        ("ethereum", f"ethereum:{ETH}@1?value=2.014e18", ETH),
        ("ethereum", f"ethereum:pay-{ETH.lower()}@1", ETH),
        ("ethereum", f"ethereum:{ETH}@137", "address_other_network"),
        ("ethereum", f"ethereum:{ETH}@", "address_other_network"),
        ("ethereum", f"ethereum:{ETH}@01", "address_other_network"),
        ("ethereum", f"ethereum:{ETH}@1/transfer?address={ETH}&uint256=1", "address_request"),
        ("ethereum", f"litecoin:{LTC}", "address_other_network"),
        ("ethereum", "ethereum:vitalik.eth", "address_invalid"),
    ],
)
def test_a_pasted_payment_request_is_read_for_its_address(network, request_, expected) -> None:
    if not expected.startswith("address_"):
        assert check_address(network, "main", request_, chain_id=1) == expected
        return
    with pytest.raises(AddressInvalid) as refusal:
        check_address(network, "main", request_, chain_id=1)
    assert refusal.value.code == expected


@pytest.mark.django_db
def test_a_request_names_the_chain_that_the_first_scan_pinned(settings) -> None:
    ChainState.objects.update_or_create(code="ethereum", defaults={"identity": f"31337:0x{'0' * 64}"})

    assert check_customer_address(chain="ethereum", text=f"ethereum:{ETH}@31337", field="address") == ETH
    with pytest.raises(AddressInvalid):
        check_customer_address(chain="ethereum", text=f"ethereum:{ETH}@1", field="address")


@pytest.mark.parametrize("text", [LTC, "MQMcJhpWHYVeQArcZR3sBgyPZxxRtnH441", "LTC1XL3Uwdj8DipyL9qPpoaVawkEPLQ7Yq"])
def test_what_is_taken_can_be_signed_for(text) -> None:
    assert script_of(check_address("litecoin", "main", text)).data
    assert script_of(check_address("litecoin", "regtest", TAPROOT)).data == b"\x51\x20" + bytes(range(1, 33))
