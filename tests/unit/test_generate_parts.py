"""The parts that data is made with: numbers by place, patterns, checks, makers."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy_fixtures._generate._checks import Atom, atoms
from tenancy_fixtures._generate._makers import Counted, Digit, Digits, EarlierRow, Moments, Pieces, decimals
from tenancy_fixtures._generate._pattern import PatternUnsupported, capacity, only_group_varies, templates
from tenancy_fixtures._generate._random import below, bits, key_of, permuted, uniform

KEYS = st.integers(0, 2**64 - 1)


def rows(number):
    return np.arange(number, dtype=np.int64)


# --- numbers ------------------------------------------------------------------------------------------------------------


def test_the_same_numbers_come_out_everywhere():
    """Written down once: another platform, or another version of numpy, must not give other data for the same seed."""
    assert key_of(7, "tracks", "title") == 0x19D5B44C687B83F8
    assert bits(rows(3), 42).tolist() == [12058926934050108962, 13679457532755275413, 2949826092126892291]
    assert below(rows(3), 42, 1000, tail=True).tolist() == [279, 407, 4]
    assert permuted(rows(3), 42, 10**12).tolist() == [42, 85, 128]


@given(key=KEYS, number=st.integers(1, 3000))
def test_a_permutation_has_each_number_once(key, number):
    assert sorted(permuted(rows(number), key, number).tolist()) == list(range(number))


@given(key=KEYS, large=st.integers(2**33, 2**62))
def test_a_permutation_of_many_places_has_none_twice(key, large):
    drawn = permuted(rows(2000), key, large)
    assert len(set(drawn.tolist())) == 2000
    assert drawn.min() >= 0
    assert drawn.max() < large


@given(key=KEYS)
def test_shares_are_spread_evenly(key):
    share = uniform(rows(20_000), key)
    assert share.min() >= 0
    assert share.max() < 1
    assert abs(share.mean() - 0.5) < 0.02


# --- patterns -----------------------------------------------------------------------------------------------------------

PATTERNS = (
    r"^[A-Z]{2}$",
    r"^(?:spotify:track:)?([0-9A-Za-z]{22})$",
    r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
    r"^\d{3}-\d{2,4}$",
    r"^(?:red|green|dark blue)$",
    r"^v\d+(\.\d+){0,2}(-rc\d)?$",
    r"^#[0-9a-fA-F]{6}$",
    r"^\w+ \S+$",
    r"^.{3,5}$",
    r"^[^a-z]x?$",
    r"ab*c+?",
    r"^\$[1-9]\d*\.\d\d$",
    r"^é[à-ü]$",
)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_text_matches_its_pattern(pattern):
    ways = templates(pattern, 12, seed=5)
    for number, slots in enumerate(ways):
        texts = Pieces(slots, number, count=50)(rows(50)).to_list()
        assert [text for text in texts if not re.search(pattern, text)] == []
        assert len(set(texts)) == min(50, capacity(slots)) or capacity(slots) < 50


@pytest.mark.parametrize("pattern", [r"(?=a)b", r"(a)\1", r"^[^\s\S]$", "(", r"\p{L}+", "a{5000}"])
def test_what_cannot_be_read_from_left_to_right_is_refused(pattern):
    with pytest.raises(PatternUnsupported):
        templates(pattern, 3, seed=5)


def test_what_is_not_kept_does_not_vary():
    pattern = r"^[a-c]x?([0-9]{4})-[d-f]$"
    slots = only_group_varies(pattern, seed=5)[0]
    texts = Pieces(slots, 1, count=2000)(rows(2000)).to_list()
    kept = {re.search(pattern, text)[1] for text in texts}
    assert len(kept) == 2000


# --- checks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("((popularity >= 0) AND (popularity <= 100))", [Atom("popularity", ">=", ("0",)), Atom("popularity", "<=", ("100",))]),
        ("(key >= '-1'::integer)", [Atom("key", ">=", ("-1",))]),
        ("(price > (0)::numeric)", [Atom("price", ">", ("0",))]),
        ("(0 < n)", [Atom("n", ">", ("0",))]),
        ("(x <= (20)::double precision)", [Atom("x", "<=", ("20",))]),
        ("(plan = ANY (ARRAY['free'::text, 'it''s'::text]))", [Atom("plan", "in", ("free", "it's"))]),
        ("((plan)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))", [Atom("plan", "in", ("a", "b"))]),
        ("(mode = ANY (ARRAY[0, 1]))", [Atom("mode", "in", ("0", "1"))]),
        ("(kind = 'one'::text)", [Atom("kind", "in", ("one",))]),
        ("((char_length(handle) >= 1) AND (char_length(handle) <= 64))", [Atom("handle", "length >=", ("1",)), Atom("handle", "length <=", ("64",))]),
        ("(length((iso)::text) = 2)", [Atom("iso", "length =", ("2",))]),
        ("(country ~ '^[A-Z]{2}$'::text)", [Atom("country", "~", ("^[A-Z]{2}$",))]),
        ("(\"Odd Name\" ~ '\\d'::text)", [Atom("Odd Name", "~", ("\\d",))]),
        ("(starts_at <= ends_at)", [Atom("starts_at", "column <=", ("ends_at",))]),
        ("((left_on IS NULL) OR (hired < left_on))", [Atom("hired", "column <", ("left_on",))]),
        ("(born < '2010-01-01'::date)", [Atom("born", "<", ("2010-01-01",))]),
        ("((a > 1) OR (a < 0))", []),
        ("((a % 2) = 0)", []),
        ("(NOT (a > 3))", []),
        ("((VALUE >= (0)::numeric) AND (VALUE <= (100)::numeric))", [Atom("VALUE", ">=", ("0",)), Atom("VALUE", "<=", ("100",))]),
        ("((nick IS NULL) = (since IS NULL))", []),
        ("(email ~~ '%_@_%'::text)", []),
        ("", []),
    ],
)
def test_what_a_check_asks_for(expression, found):
    assert atoms(expression) == found


@given(st.text(alphabet="()'\" abANDOR<>=~:[],.0123456789"))
def test_no_text_of_a_check_is_too_strange(text):
    assert isinstance(atoms(text), list)


# --- makers -------------------------------------------------------------------------------------------------------------


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6), key=KEYS)
def test_pieces_give_different_texts_as_far_as_there_are_any(sizes, key):
    slots = [tuple(f"{place}.{number};" for number in range(size)) for place, size in enumerate(sizes)]
    made = Pieces(slots, key, count=min(capacity(slots), 500))
    texts = made(rows(min(made.capacity, 500))).to_list()
    assert len(set(texts)) == len(texts) == min(capacity(slots), 500)


@given(start=st.integers(-(10**9), 10**9), scale=st.integers(0, 6))
def test_numbers_are_exact(start, scale):
    from decimal import Decimal

    texts = Counted(start, scale=scale)(rows(20)).to_list()
    assert [Decimal(text) * 10**scale for text in texts] == [start + number for number in range(20)]


def test_numbers_without_a_digit_after_the_point_have_no_point():
    assert decimals(pl.Series([-5, 0, 12]), 0).to_list() == ["-5", "0", "12"]
    assert decimals(pl.Series([-5, 0, 12]), 1).to_list() == ["-0.5", "0.0", "1.2"]


@pytest.mark.parametrize("form", ["date", "timestamp", "timestamptz"])
def test_later_moments_of_a_row_are_later(form):
    made = [Moments(form, 1_600_000_000, 10**8, key=1, own_key=rank, rank=rank)(rows(3000)) for rank in range(3)]
    assert (made[0] < made[1]).all()
    assert (made[1] < made[2]).all()


@pytest.mark.parametrize("form", ["date", "timestamptz"])
def test_moments_of_their_own_are_all_different(form):
    made = Moments(form, 0, 3000 * 86_400, key=1, own_key=2, distinct=3000)
    assert made(rows(3000)).n_unique() == 3000
    assert made.capacity >= 3000


def test_uuids_are_different_and_random_ones():
    from uuid import UUID

    made = [UUID(text) for text in Digits("########-####-4###-8###-############", 3)(rows(2000)).to_list()]
    assert {value.version for value in made} == {4}
    assert len(set(made)) == 2000


@given(number=st.integers(2, 400), key=KEYS)
def test_an_earlier_row_is_one(number, key):
    drawn = EarlierRow(key)(rows(number))
    assert (drawn[1:] < rows(number)[1:]).all()
    assert drawn[0] == 0


@given(first=st.integers(1, 30), second=st.integers(1, 30), key=KEYS)
def test_two_places_of_a_number_run_through_all_combinations(first, second, key):
    number = first * second
    pairs = set(zip(Digit(second, first)(rows(number)).tolist(), Digit(1, second, key)(rows(number)).tolist()))
    assert len(pairs) == number


@pytest.mark.parametrize("count", [0, 1, 5])
def test_any_rows_can_be_made_alone(count):
    for made in (Pieces([("a", "b"), ("c", "d", "e")], 1, 6), Digits("##-##", 1), Counted(5), Moments("date", 0, 10**8, 1, 2)):
        whole = made(rows(6)).to_list()
        assert made(rows(count)).to_list() == whole[:count]
        assert made(rows(6)[3:]).to_list() == whole[3:]
