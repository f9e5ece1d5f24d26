"""Names, limits, merges, order: pure functions."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy_fixtures import ConfigUtils, FixtureUtils, TenantUtils, ValidationUtils
from tenancy_fixtures.exceptions import ConfigurationError, InvalidTenantId
from tenancy_fixtures.utils import ranked_order

LEGAL = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", fullmatch=True)


@pytest.mark.parametrize("tenant_id", ["a", "0", "Acme", "tenant_001", "a.b-c_d", "A" * 63, "tenancy", "public", "t_x", "select"])
def test_a_good_id_is_given_back(tenant_id):
    assert TenantUtils.check_id(tenant_id) == tenant_id


@pytest.mark.parametrize(
    ("tenant_id", "said"),
    [
        ("", "empty"),
        ("a b", "character 2 is ' ' (U+0020)"),
        (" a", "character 1"),
        ("a\n", r"character 2 is '\n'"),
        ("a/b", "character 2 is '/'"),
        ("../../etc", "character 1 is '.'"),
        ("a\x00b", "U+0000"),
        (".hidden", "character 1 is '.'"),
        ("-rf", "character 1 is '-'"),
        ("_a", "character 1 is '_'"),
        ("a" * 64, "64 characters"),
        ("büro", "character 2 is 'ü' (U+00FC)"),
        ("\u0430cme", "U+0430"),
        ("tenant\u2028", "U+2028"),
        ("١٢٣", "U+0661"),
        ("a;drop", "character 2 is ';'"),
        ('a"b', "U+0022"),
        ("a%b", "U+0025"),
        ("\U0001f600", "U+1F600"),
        ("\ud800", "U+D800"),
    ],
)
def test_a_bad_id_is_refused_and_the_error_says_why(tenant_id, said):
    with pytest.raises(InvalidTenantId) as caught:
        TenantUtils.check_id(tenant_id)
    assert said in caught.value.message
    assert "1 to 63" in str(caught.value.hint)


@pytest.mark.parametrize("tenant_id", [None, 1, b"acme", ["acme"], uuid4()])
def test_an_id_is_text(tenant_id):
    with pytest.raises(InvalidTenantId, match=type(tenant_id).__name__):
        TenantUtils.check_id(tenant_id)


@given(st.text(max_size=80))
def test_only_what_the_pattern_takes_is_an_id(tenant_id):
    legal = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", tenant_id) is not None
    try:
        assert TenantUtils.check_id(tenant_id) == tenant_id
        assert legal
    except InvalidTenantId:
        assert not legal


@given(LEGAL, st.none() | st.uuids())
def test_a_namespace_is_a_plain_name_that_postgresql_keeps_whole(tenant_id, uid):
    namespace = TenantUtils.namespace(tenant_id, uid)
    assert re.fullmatch(r"t_[a-z0-9_]{1,61}", namespace)
    assert len(namespace.encode()) <= 63
    assert uid is None or namespace.endswith(f"_{uid.hex[:12]}")


def test_ids_that_look_alike_are_told_apart_by_their_uid():
    alike = ["Acme", "acme", "ACME"]
    assert {TenantUtils.namespace(name) for name in alike} == {"t_acme"}
    assert len({TenantUtils.namespace(name, UUID(int=number << 100)) for number, name in enumerate(alike, start=1)}) == 3
    assert TenantUtils.namespace("a" * 62 + "x") == TenantUtils.namespace("a" * 62 + "y")
    assert TenantUtils.namespace("a" * 62 + "x", UUID(int=1 << 100)) != TenantUtils.namespace("a" * 62 + "y", UUID(int=2 << 100))


def test_a_namespace_of_no_id_is_refused():
    with pytest.raises(InvalidTenantId):
        TenantUtils.namespace("a b")


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("storage", "100GB", {"value": 100 * 10**9, "unit": "bytes"}),
        ("storage", "1GiB", {"value": 2**30, "unit": "bytes"}),
        ("storage", "1.5 kB", {"value": 1500, "unit": "bytes"}),
        ("storage", "0B", {"value": 0, "unit": "bytes"}),
        ("storage", 1000, {"value": 1000, "unit": "bytes"}),
        ("storage", "2 tib", {"value": 2 * 2**40, "unit": "bytes"}),
        ("storage", "7EB", {"value": 7 * 10**18, "unit": "bytes"}),
        ("traffic", "100GB/month", {"value": 100 * 10**9, "unit": "bytes", "period": "month"}),
        ("api_calls", 10000, {"value": 10000, "period": "month"}),
        ("api_calls", "10k/day", {"value": 10_000, "period": "day"}),
        ("api_calls", "500 per hour", {"value": 500, "period": "hour"}),
        ("api_calls", "500 per hours", {"value": 500, "period": "hour"}),
        ("api_calls", "1.5M / min", {"value": 1_500_000, "period": "minute"}),
        ("requests", "5/s", {"value": 5, "period": "second"}),
        ("seats", 5, {"value": 5}),
        ("seats", "5", {"value": 5}),
        ("seats", 5.0, {"value": 5}),
        ("seats", {"value": 5, "unit": "seats"}, {"value": 5, "unit": "seats"}),
    ],
)
def test_a_limit_is_worked_out(name, value, limit):
    assert ConfigUtils.parse_limit(name, value) == limit


@pytest.mark.parametrize(
    "value",
    [
        "",
        "GB",
        "many",
        "-5",
        "-5GB",
        -5,
        "5 XB",
        "5/fortnight",
        "5 per",
        "1.5",
        0.5,
        float("nan"),
        float("inf"),
        "inf",
        "1e3",
        "5GB 5",
        True,
        None,
        [5],
        {},
    ],
)
def test_what_is_no_limit_is_refused_by_name(value):
    with pytest.raises(ConfigurationError, match="'seats'"):
        ConfigUtils.parse_limit("seats", value)


@given(st.text(max_size=30))
def test_no_text_breaks_the_parsing_of_a_limit(text):
    try:
        limit = ConfigUtils.parse_limit("seats", text)
    except ConfigurationError:
        return
    assert limit["value"] >= 0


def test_limits_are_parsed_together():
    assert ConfigUtils.parse_limits({"api_calls": 10000, "storage": "100GB"}) == {
        "api_calls": {"value": 10000, "period": "month"},
        "storage": {"value": 100 * 10**9, "unit": "bytes"},
    }


def test_layers_are_merged_key_by_key_and_lists_are_replaced():
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": {"deep": {"er": 1}}}
    over = {"a": {"y": [3]}, "b": {"now": "an object"}, "c": None, "d": 4}
    assert ConfigUtils.deep_merge(base, over) == {"a": {"x": 1, "y": [3]}, "b": {"now": "an object"}, "c": None, "d": 4}
    assert base["a"] == {"x": 1, "y": [1, 2]}
    assert ConfigUtils.deep_merge({}, over) == over


SCALARS = st.none() | st.booleans() | st.integers() | st.text()
JSON = SCALARS | st.dictionaries(st.text(), SCALARS | st.dictionaries(st.text(), SCALARS))


@given(st.dictionaries(st.text(), JSON), st.dictionaries(st.text(), JSON))
def test_a_merge_holds_the_upper_layer_and_is_stable(base, over):
    merged = ConfigUtils.deep_merge(base, over)
    assert ConfigUtils.deep_merge(merged, over) == merged
    assert ConfigUtils.deep_merge(base, {}) == base
    assert merged.keys() == base.keys() | over.keys()


def test_what_depends_comes_after():
    order = FixtureUtils.in_order({"config": ["tenant", "schema"], "schema": ["tenant"], "tenant": (), "data": ["schema", "not here"]})
    assert sorted(order) == ["config", "data", "schema", "tenant"]
    assert order.index("tenant") < order.index("schema") < order.index("config")
    assert order.index("schema") < order.index("data")


def test_a_circle_is_named():
    with pytest.raises(ConfigurationError, match=r"a → b → a|b → a → b"):
        FixtureUtils.in_order({"a": ["b"], "b": ["a"], "c": []})


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ({"late": [], "early": [], "after": ["late"]}, ["early", "late", "after"]),
        ({"after": ["early"], "late": [], "early": []}, ["early", "after", "late"]),
        ({"late": ["after"], "after": ["late"], "early": []}, ["early"]),
        ({"late": ["late"], "after": ["late"], "early": []}, ["early"]),
        ({}, []),
    ],
)
def test_of_what_could_be_next_the_lowest_rank_is_and_circles_are_left_out(needs, expected):
    rank = {"early": 1, "after": 2, "late": 3}
    assert list(ranked_order(needs, rank.__getitem__)) == expected


def test_a_digest_knows_content_and_not_the_order_of_keys():
    assert FixtureUtils.digest({"a": 1, "b": [1, 2]}) == FixtureUtils.digest({"b": [1, 2], "a": 1})
    assert FixtureUtils.digest({"a": [1, 2]}) != FixtureUtils.digest({"a": [2, 1]})
    assert re.fullmatch("[0-9a-f]{64}", FixtureUtils.digest(None))


def test_what_no_part_accounts_for():
    assert ValidationUtils.unaccounted(10, 3, 7) == 0
    assert ValidationUtils.unaccounted(10, 3) == 7
    assert ValidationUtils.unaccounted(10) == 10


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [1, 2.5, None, True, "é"]}, None),
        ({"a": ["x\0"]}, "/a/0 holds a NUL"),
        ("\udc00", "/ holds a NUL or half of a surrogate pair"),
        ([float("inf")], "/0 is no number"),
        ({"a": {1: 2}}, "/a has a name that is no text"),
        ({"a": {1, 2}}, "/a is of type set"),
        ({"a": object()}, "/a is of type object"),
    ],
)
def test_what_jsonb_cannot_hold(value, problem):
    found = ValidationUtils.unstorable(value)
    assert (found is None) if problem is None else found.startswith(problem)
