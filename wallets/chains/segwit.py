"""Bech32 of a version-0 witness program (BIP-173), written from the standard: the second opinion on embit's encoding."""

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def encode_program(hrp: str, program: bytes) -> str:
    """Return the address of a version-0 program, 20 bytes for a key."""
    number = int.from_bytes(program, "big")
    groups = -(-len(program) * 8 // 5)
    number <<= groups * 5 - len(program) * 8
    data = [0] + [number >> 5 * (groups - 1 - place) & 31 for place in range(groups)]
    spread = [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]
    residue = _polymod([*spread, *data, 0, 0, 0, 0, 0, 0]) ^ 1
    checksum = [residue >> 5 * (5 - place) & 31 for place in range(6)]
    return f"{hrp}1" + "".join(_ALPHABET[value] for value in data + checksum)


def _polymod(values: list[int]) -> int:
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, constant in enumerate(_GENERATOR):
            if top >> bit & 1:
                state ^= constant
    return state
