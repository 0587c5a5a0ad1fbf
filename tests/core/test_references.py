from hypothesis import given
from hypothesis import strategies as st

from core.references import ALPHABET, make_reference, read_reference


def test_references_differ_and_are_read_back():
    made = {make_reference("O") for _ in range(1000)}
    assert len(made) == 1000
    assert all(read_reference(reference, "O") == reference and len(reference) == 17 for reference in made)


def test_all_characters_are_used():
    assert {letter for _ in range(300) for letter in make_reference("")} == set(ALPHABET)


def test_case_and_confusable_letters_are_forgiven():
    assert read_reference(" oil01abcdefghjkmn ", "O") == "O1101ABCDEFGHJKMN"
    assert read_reference("OoOoO0123456789ab", "O") == "O00000123456789AB"


@given(st.text(max_size=30))
def test_other_text_is_no_reference(text):
    found = read_reference(text, "O")
    assert found is None or (len(found) == 17 and found[0] == "O" and set(found[1:]) <= set(ALPHABET))


def test_other_letters_lengths_and_alphabets_are_no_reference():
    good = "O" + "S" * 16
    assert read_reference(good, "O") == good
    for wrong in ("S" + good[1:], good[:-1], good + "0", "O" + "ſ" * 16, "O" + "U" * 16, "О" + "S" * 16, good + "\x00"):
        assert read_reference(wrong, "O") is None
