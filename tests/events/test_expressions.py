import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepcnn.errors import InputError
from hepcnn.events.expressions import parse

VALUES = {
    "x": np.array([1.5, -2.0, 0.25], np.float32),
    "Track.P": np.array([10.0, 20.0, 30.0]),
    "n": np.array([100, -100, 3], np.int8),
    "u": np.array([0, 1, 255], np.uint8),
    "flag": np.array([True, False, True]),
}


def leaf():
    number = st.floats(0, 1e3, allow_subnormal=False).map(repr) | st.integers(0, 1000).map(str)
    return number | st.sampled_from(list(VALUES))


def deeper(inner):
    pair = st.tuples(inner, st.sampled_from("+-*/"), inner)
    return pair.map(lambda t: f"({t[0]} {t[1]} {t[2]})") | inner.map(lambda t: f"(-{t})")


@given(st.recursive(leaf(), deeper, max_leaves=8))
def test_arithmetic_is_that_of_float64_numbers(text):
    """Any tree of operators gives what Python gives, value by value."""
    expression = parse(text)
    result = np.broadcast_to(expression.evaluate(VALUES), 3)
    plain = text.replace("Track.P", "Track_P")
    for i in range(3):
        row = {name.replace(".", "_"): values[i].item() for name, values in VALUES.items()}
        try:
            expected = eval(plain, {"__builtins__": {}}, row)
        except (ZeroDivisionError, OverflowError):
            continue
        if abs(expected) < 2**62:
            assert result[i] == pytest.approx(expected, rel=1e-12, abs=1e-300)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    """No input does anything but parse or raise InputError."""
    try:
        expression = parse(text)
    except InputError:
        return
    expression.evaluate({name: np.ones(2) for name in expression.names})


def test_a_name_alone_is_unchanged():
    assert parse(" n ").evaluate(VALUES) is VALUES["n"]


def test_small_integers_do_not_overflow():
    np.testing.assert_array_equal(parse("1000 * n").evaluate(VALUES), [100000, -100000, 3000])
    np.testing.assert_array_equal(parse("-u").evaluate(VALUES), [0, -1, -255])
    np.testing.assert_array_equal(parse("flag + 1").evaluate(VALUES), [2, 1, 2])


def test_an_existing_name_may_hold_any_character():
    assert parse("evt/Track_P", ["evt/Track_P"]).names == ("evt/Track_P",)
    assert parse("evt/Track_P", ["other"]).names == ("evt", "Track_P")


def test_names_are_listed_once_in_order():
    assert parse("b * a.c + b / 2").names == ("b", "a.c")


def test_a_constant_has_no_names():
    assert parse("-1.5e3").names == ()
    assert parse("-1.5e3").evaluate({}) == -1500


def test_division_by_zero_is_infinite_not_an_exception():
    assert np.isinf(parse("1 / 0").evaluate({}))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("__import__('os').system('true')", "'__import__('os').system('true')'"),
        ("2 * sqrt(x)", "'sqrt(x)'"),
        ("x ** 2", "'x ** 2'"),
        ("3 + x[0]", "'x[0]'"),
        ("(x + 1).real", "'(x + 1).real'"),
        ("x if n else u", "'x if n else u'"),
        ("x < 3", "'x < 3'"),
        ("'x'", "''x''"),
        ("True", "'True'"),
        ("1j * x", "'1j'"),
        (f"x * {2**63}", f"'{2**63}'"),
        ("x y", "at 'y'"),
        ("2 * (x", "cannot be read"),
        ("", "cannot be read"),
        ("(" * 300 + "x" + ")" * 300, "longer than"),
    ],
)
def test_what_is_not_allowed_is_named(text, part):
    with pytest.raises(InputError, match=re.escape(part)):
        parse(text)


def test_the_longest_texts_do_not_exhaust_the_stack():
    np.testing.assert_array_equal(parse("-" * 498 + "x").evaluate(VALUES), VALUES["x"])
    assert parse("+".join(["1"] * 250)).evaluate({}) == 250
