from core.tokens import hash_token, make_token, token_matches


def test_the_same_row_gets_the_same_token_again():
    assert make_token("order", "7", "n") == make_token("order", "7", "n")


def test_purpose_row_and_nonce_each_make_another_token():
    made = {make_token("order", "7", "n"), make_token("bearer", "7", "n"), make_token("order", "8", "n")}
    assert len(made | {make_token("order", "7", "m")}) == 4


def test_another_key_makes_another_token(settings):
    before = make_token("order", "7", "n")
    settings.TOKEN_KEY = "rotated"
    assert make_token("order", "7", "n") != before


def test_only_the_right_token_matches_and_the_stored_hash_is_not_it():
    token = make_token("order", "7", "n")
    stored = hash_token(token)
    assert token not in stored
    assert token_matches(token, stored)
    for wrong in ("", token[:-1], token.upper(), stored, "й", "\ud800", "\x00"):
        assert not token_matches(wrong, stored)
