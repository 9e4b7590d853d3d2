import csv
import io
import json
import re

import numpy as np
import pytest

from hepcnn.errors import InputError
from hepcnn.performance.intervals import clopper_pearson
from hepcnn.performance.table import Column, Number, Table, write_table

COLUMNS = (
    Column("name", "name"),
    Column("p", "p (GeV/c)", "number", 1, 1e-3),
    Column("eff", "efficiency (%)", "proportion", 2, 100.0),
    Column("loss", "loss", "estimate", 3),
)


def table(rows):
    return Table("things", "Things & their names", COLUMNS, tuple(rows))


ROWS = [
    ("a_b", 9300.0, clopper_pearson(1, 3), Number(-0.25, 0.01, 0.02, "m")),
    ("π|K", np.float64(2e3), clopper_pearson(0, 0), Number(np.inf, np.nan, np.nan, "m")),
]


def test_csv_has_full_precision_and_nan():
    rows = list(csv.DictReader(io.StringIO(table(ROWS).csv())))
    assert float(rows[0]["eff"]) == 1 / 3
    assert (rows[0]["eff_n_pass"], rows[0]["eff_n_total"]) == ("1", "3")
    assert rows[0]["eff_method"].startswith("Clopper")
    assert rows[1]["eff"] == rows[1]["eff_err_low"] == "nan"
    assert rows[1]["loss"] == "inf"


def test_json_is_strict_and_holds_the_provenance():
    content = json.loads(
        table(ROWS).json({"id": "x"}), parse_constant=lambda c: pytest.fail(f"{c} is not JSON")
    )
    assert content["provenance"] == {"id": "x"}
    assert content["records"][0]["eff"] == 1 / 3
    assert content["records"][1]["eff"] is None
    assert content["records"][1]["loss"] == "inf"
    assert content["shown"][0] == ["a_b", "9.3", "33.33 +41.45 −27.74", "−0.250 +0.020 −0.010"]


def numbers(cell):
    """The numbers of a cell of Markdown or LaTeX, as value, errors without signs."""
    cell = cell.replace("$-$", "-").replace("−", "-")
    value, *errors = re.findall(r"(?:n/a|-?inf|-?\d+(?:\.\d+)?)", cell.replace("_{-", "_{"))
    return [value, *sorted(e.lstrip("-") for e in errors)]


def test_markdown_and_latex_hold_the_numbers_of_csv_rounded():
    t = table(ROWS)
    md = [re.split(r"(?<!\\)\|", li)[1:-1] for li in t.markdown().splitlines()[4:]]
    body = t.latex().split(r"\endhead")[1].split(r"\bottomrule")[0]
    tex = [li.removesuffix(r" \\").split(" & ") for li in body.strip().splitlines()]
    for record, md_row, tex_row in zip(t.records(), md, tex, strict=True):
        for column, a, b in zip(COLUMNS[1:], md_row[1:], tex_row[1:], strict=True):
            assert numbers(a) == numbers(b)
            expected = float(record[column.name]) * column.scale
            text = numbers(a)[0]
            if np.isnan(expected):
                assert text == "n/a"
            else:
                assert text == f"{expected:.{column.digits}f}"


def test_a_number_without_known_errors_stands_alone():
    assert (
        "| 1.500 |"
        in table([("x", 1.0, clopper_pearson(1, 1), Number(1.5, np.nan, np.nan, ""))]).markdown()
    )


def test_text_is_escaped():
    t = table(ROWS)
    assert r"a\_b" in t.latex()
    assert r"Things \& their names" in t.latex()
    assert r"$\pi$|K" in t.latex()
    assert r"π\|K" in t.markdown()


@pytest.mark.parametrize("count", [0, 1])
def test_short_tables_work_in_every_format(tmp_path, count):
    write_table(tmp_path, table(ROWS[:count]), {})
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"things.{s}" for s in ("csv", "json", "md", "tex")
    ]
    assert len((tmp_path / "things.csv").read_text().splitlines()) == 1 + count


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="things"):
        table([("a", 1.0)])


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        write_table(tmp_path / "file", table(ROWS), {})
