import pytest

from wallets.address_rules import AddressInvalid, check_address

LTC = "ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh"
BTC = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
ETH = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
BTC_LEGACY = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
BTC_SCRIPT = "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"


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
        ("litecoin", BTC_SCRIPT, "address_not_supported", "starts with M"),
        ("litecoin", LTC[:-1] + "q", "address_checksum", "typing error"),
        ("litecoin", LTC[:10] + LTC[10:].upper(), "address_checksum", "typing error"),
        ("litecoin", "ltcmweb1" + "q" * 60, "address_not_supported", "ltc1q"),
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
