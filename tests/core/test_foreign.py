"""core.foreign: what others wrote comes out as a column, a log line and a page can hold it."""

import pytest

from core.foreign import clean_text
from ticker.models import SourceState


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("insufficient fee", "insufficient fee"),
        ("Привет, 世界 🙂", "Привет, 世界 🙂"),
        ("a\x00b", "a�b"),
        ("a\ud800b\udfff", "a�b�"),
        ("line\r\nline\u2028\x1b[2J", "line��line��[2J"),
        ("\u202e84", "�84"),
        ("x" * 201, "x" * 200),
        ("", ""),
        (None, "None"),
        (7, "7"),
    ],
    ids=ascii,
)
def test_keeps_what_can_be_kept(said, kept):
    assert clean_text(said) == kept


@pytest.mark.django_db
def test_the_database_takes_whatever_comes_out():
    everything = "".join(map(chr, range(0x0, 0x110000, 7)))

    SourceState.objects.create(source="odd", seen={"said": clean_text(everything, most=len(everything))})

    assert len(SourceState.objects.get(source="odd").seen["said"]) == len(everything)
