import re
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepcnn.errors import InputError
from hepcnn.events.evaluation import Column, evaluate
from hepcnn.events.expressions import constant, parse

VALUES = {
    "x": np.array([1.5, -2.0, 0.25], np.float32),
    "Track.P": np.array([10.0, 20.0, 30.0]),
    "n": np.array([100, -100, 3], np.int8),
    "u": np.array([0, 1, 255], np.uint8),
    "flag": np.array([True, False, True]),
}


def values(text, columns=VALUES):
    """Value of an expression, of arrays one an event."""
    arrays = {name: c if isinstance(c, Column) else Column(c) for name, c in columns.items()}
    return evaluate(parse(text), arrays).values


def leaf():
    number = st.floats(0, 1e3, allow_subnormal=False).map(repr) | st.integers(0, 1000).map(str)
    return number | st.sampled_from(list(VALUES))


def deeper(inner):
    pair = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "<", ">=", "=="]), inner)
    choice = st.tuples(inner, inner, inner)
    return (
        pair.map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map(lambda t: f"(-{t})")
        | inner.map(lambda t: f"abs({t})")
        | pair.map(lambda t: f"max({t[0]}, {t[2]})")
        | choice.map(lambda t: f"where({t[0]} < {t[1]}, {t[1]}, {t[2]})")
    )


@given(st.recursive(leaf(), deeper, max_leaves=8))
def test_arithmetic_is_that_of_float64_numbers(text):
    """Any tree of operators gives what Python gives, value by value."""
    functions = {"abs": abs, "max": max, "where": lambda c, a, b: a if c else b}
    plain = text.replace("Track.P", "Track_P")
    expected = []
    for i in range(3):
        row = {name.replace(".", "_"): values[i].item() for name, values in VALUES.items()}
        try:
            expected.append(eval(plain, {"__builtins__": functions}, row))
        except (ZeroDivisionError, OverflowError):
            return
    try:
        result = np.broadcast_to(values(text), 3)
    except InputError:  # an integer beyond 64 bits, of which there is a test below
        return
    np.testing.assert_allclose(result, np.array(expected, float), rtol=1e-12, atol=1e-300)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    """No input does anything but parse or raise InputError."""
    try:
        expression = parse(text)
    except InputError:
        return
    with suppress(InputError):
        evaluate(expression, {name: Column(np.ones(2)) for name in expression.names})


def test_a_name_alone_is_unchanged():
    assert values(" n ") is VALUES["n"]


def test_small_integers_do_not_overflow():
    np.testing.assert_array_equal(values("1000 * n"), [100000, -100000, 3000])
    np.testing.assert_array_equal(values("-u"), [0, -1, -255])
    np.testing.assert_array_equal(values("flag + 1"), [2, 1, 2])


def test_an_existing_name_may_hold_any_character():
    assert parse("evt/Track_P", ["evt/Track_P"]).names == ("evt/Track_P",)
    assert parse("evt/Track_P", ["other"]).names == ("evt", "Track_P")


def test_names_are_listed_once_in_order():
    assert parse("b * a.c + b / 2").names == ("b", "a.c")


def test_a_constant_has_no_names():
    assert parse("-1.5e3").names == ()
    assert values("-1.5e3") == -1500


def test_division_by_zero_is_infinite_not_an_exception():
    assert np.isinf(values("1 / 0"))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("__import__('os').system('true')", "'__import__('os').system('true')'"),
        ("2 * sqr(x)", "no function 'sqr'; did you mean 'sqrt'"),
        ("x @ 2", "'x @ 2'"),
        ("3 + x[n]", "'x[n]'"),
        ("x[1:2]", "'x[1:2]'"),
        ("x[-1]", "'x[-1]'"),
        ("sqrt(x)[0]", "'sqrt(x)[0]'"),
        ("x.sqrt(2)", "'x.sqrt(2)'"),
        ("sqrt(x, n)", "sqrt takes 1 arguments, not 2"),
        ("min(x)", "min takes 2 or more arguments, not 1"),
        ("min(*x, n)", "'*x'"),
        ("where(x > 0, 'a', 'b')", "''a''"),
        ("max(x, key=n)", "'max(x, key=n)'"),
        ("(x + 1).real", "'(x + 1).real'"),
        ("x if n else u", "'x if n else u'"),
        ("x is n", "'x is n'"),
        ("[x for x in n]", "'[x for x in n]'"),
        ("(lambda: x)()", "'(lambda: x)()'"),
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


def test_deep_expressions_do_not_exhaust_the_stack():
    np.testing.assert_array_equal(values("-" * 98 + "x"), VALUES["x"])
    assert values("+".join(["1"] * 100)) == 100
    for text in ("-" * 498 + "x", "+".join(["1"] * 250)):
        with pytest.raises(InputError, match="nested deeper than 100"):
            parse(text)


# --- what analysts write ------------------------------------------------------------------------


def lists(values, *counts):
    return Column(np.asarray(values), np.cumsum([0, *counts]))


#: Three events of 2, 0 and 1 tracks or hits.
EVENTS = {
    "px": lists([3.0, 0.0, 1.0], 2, 0, 1),
    "py": lists([4.0, 0.0, 2.0], 2, 0, 1),
    "pz": lists([12.0, 5.0, 2.0], 2, 0, 1),
    "charge": lists(np.array([1, -1, 1], np.int8), 2, 0, 1),
    "pos": lists([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]], 2, 0, 1),
    "process": lists(np.array(["primary", "Decay", "primary"]), 2, 0, 1),
    "vertex": Column(np.array([[1.0, 2], [3, 4], [5, 6]])),
    "wires": Column(np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])),
    "run": Column(np.array([7, 8, 9], np.int32)),
    "other": lists([1.0, 2.0, 3.0], 1, 1, 1),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sqrt(px**2 + py**2 + pz**2)", [13, 5, 3]),
        ("px / pz", [0.25, 0, 0.5]),
        ("hypot(px, py) / pz", [5 / 12, 0, np.hypot(1, 2) / 2]),
        ("arctan2(py, px)", np.arctan2([4, 0, 2], [3, 0, 1])),
        ("sin(px) ** 2 + cos(px) ** 2", [1, 1, 1]),
        ("log(exp(pz))", [12, 5, 2]),
        ("pos[:, 2] - pos[:, 0]", [2, 2, 2]),
        ("where(px > 0 and pz > 10, 1, where(charge == -1, 2, 3))", [1, 2, 3]),
        ("where((px > 0) & ~(pz > 10) | (charge < 0), 1, 0)", [0, 1, 1]),
        ("0 <= px < 3", [False, True, True]),
        ("not process == 'primary'", [False, True, False]),
        ("where(process != 'primary', 1, 0)", [0, 1, 0]),
        ("min(px, py, 1) + max(px, 2)", [4, 2, 3]),
        ("floor(pz / 5)", [2, 1, 0]),
        ("run // 2 * 10 + run % 2", [31, 40, 41]),
        ("vertex[0] + 10 * vertex[1]", [21, 43, 65]),
        ("count(px)", [2, 0, 1]),
        ("len(process)", [2, 0, 1]),
        ("sum(charge)", [0, 0, 1]),
        ("sum(wires > 4)", [0, 2, 3]),
        ("wires - vertex[0]", [[0, 1, 2], [1, 2, 3], [2, 3, 4]]),
        ("px + run", [10, 7, 10]),
        ("run * sum(pz)", [119, 0, 18]),
        ("run ** 2", [49, 64, 81]),
        ("2 ** -run", [2**-7, 2**-8, 2**-9]),
    ],
)
def test_functions_indices_and_lists(text, expected):
    np.testing.assert_allclose(values(text, EVENTS), expected, rtol=1e-15)


def test_integers_stay_integers():
    for text in ("run ** 2", "abs(-run)", "min(run, 3)", "where(run > 7, run, 0)", "run // 2"):
        assert values(text, EVENTS).dtype == np.int64, text
    assert values("run * 10**15 + 1", EVENTS).tolist() == [7 * 10**15 + 1, 8 * 10**15 + 1,
                                                           9 * 10**15 + 1]  # fmt: skip


BIG = {
    "run": Column(np.array([5, 9_300_000, 3])),
    "event": Column(np.array([2**62, 1, 2**63 - 1])),
    "size": Column(np.array([1, 2**64 - 1, 2], np.uint64)),
    "hit": lists(np.array([1, 2, 2**40], np.int64), 2, 0, 1),
    "zero": Column(np.array([1, 1, 0])),
}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run * 10**12 + 1", "entry 1: 'run * 10**12 + 1': 9300000 * 1000000000000 needs more"),
        ("event + event", "entry 0: 'event + event': 4611686018427387904 + 4611686018427387904"),
        ("-1 - event - 1", "entry 2: '-1 - event - 1': -9223372036854775808 - 1 needs"),
        ("10**19", "'10**19': 10 ** 19 needs more than the 64 bits of an integer"),
        ("run ** 1000000000", "5 ** 1000000000 needs more"),
        ("hit * hit", "entry 2: 'hit * hit': row 0: 1099511627776 * 1099511627776"),
        ("size + 1", "entry 1: 'size + 1': size = 18446744073709551615 needs 64 bits without"),
        ("run // zero", "entry 2: 'run // zero': an integer // 0"),
        ("run % (run - run)", "an integer % 0"),
        ("sum(hit * 2**22)", "sum(hit * 2 ** 22) may need more than the 64 bits"),
    ],
)
def test_an_integer_beyond_64_bits_is_refused_with_its_event(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        values(text, BIG)


@given(st.sampled_from("+-*"), *[st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3,
                                         max_size=3)] * 2)  # fmt: skip
def test_integers_are_exact_or_refused(operation, left, right):
    """Never another number than Python's, whose integers have no end."""
    exact = [eval(f"a {operation} b", {"a": a, "b": b}) for a, b in zip(left, right, strict=True)]
    columns = {"a": Column(np.array(left)), "b": Column(np.array(right))}
    if all(-(2**63) <= number < 2**63 for number in exact):
        assert values(f"a {operation} b", columns).tolist() == exact
    else:
        with pytest.raises(InputError, match="needs more than the 64 bits"):
            values(f"a {operation} b", columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("px + other", "entry 0: 'px + other': its lists have 2 and 1 values"),
        ("px[0]", "'px' is a list, whose length differs from event to event: write px"),
        ("pos[0]", "write pos[:, 0]"),
        ("pos[:, 3]", "'pos' has 3 values there: the last is number 2"),
        ("px[:, 0]", "'px' has one number in each row"),
        ("vertex[:, 0]", "'vertex' has 2 in each event"),
        ("run[0]", "'run' has one number in each event"),
        ("process + 1", "'process' is a text; it can only be compared"),
        ("process == 3", "compares a text with a number"),
        ("px and py", "'px' is no condition"),
        ("px > 0 & py > 0", "'0' is no condition: compare it, and put comparisons in parentheses"),
        ("where(px, 1, 0)", "'px' is no condition"),
        ("count(run)", "count(run) is of no list"),
        ("count(wires)", "count(wires) is 3 in every event: name the branch that counts"),
        ("px + wires", "an array of 3 an event stands beside a list"),
        ("vertex + wires", "its arrays have different sizes: (2,) and (3,)"),
    ],
)
def test_what_does_not_fit_is_refused(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        values(text, EVENTS)


def test_names_are_replaced_by_what_they_stand_for():
    by = {"p": parse("1000 * P"), "x": parse("evt/x", ["evt/x"]), "c": constant(np.nan)}
    replaced = parse("p > 2 and abs(x) < 3 and isnan(c) and x[0] > 1").replaced(by)
    assert replaced.names == ("P", "evt/x", "x")
    assert parse("p").replaced({"p": parse("p * 2")}).names == ("p",)
