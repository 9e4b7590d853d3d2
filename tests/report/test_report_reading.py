"""Tables that are no tables of hepcnn are refused before the page is made of them."""

import copy
import json

import pytest

from hepcnn.errors import InputError
from hepcnn.performance.histories import read_history
from hepcnn.report.reading import table

GOOD = {
    "name": "t",
    "caption": "A table",
    "columns": [{"name": "a", "title": "a", "kind": "text"}],
    "records": [{"a": 1, "a_err_low": 0.5}],
    "shown": [["1"]],
    "provenance": {"inputs": {}, "settings": {}},
}


def changed(*keys, value):
    content = copy.deepcopy(GOOD)
    at = content
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = value
    return content


@pytest.mark.parametrize(
    "content",
    [
        [],
        None,
        {},
        changed("columns", value=[{}]),
        changed("columns", value="x"),
        changed("records", value=[[]]),
        changed("records", value=[{}]),
        changed("records", value=None),
        changed("shown", value=[]),
        changed("shown", 0, value=["1", "2"]),
        changed("provenance", value=[]),
        changed("provenance", "inputs", value=None),
        changed("provenance", "settings", value="x"),
    ],
)
def test_a_table_of_another_form_is_refused(tmp_path, content):
    (tmp_path / "t.csv").write_text("a\n1\n")
    (tmp_path / "t.json").write_text(json.dumps(GOOD))
    assert table(tmp_path, "t", "make").records == GOOD["records"]
    (tmp_path / "t.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"t.json: not a table of hepcnn .* 'make'"):
        table(tmp_path, "t", "make")


@pytest.mark.parametrize("text", ["[" * 100_000, "{", ""])
def test_what_is_no_json_is_refused(tmp_path, text):
    (tmp_path / "t.csv").write_text("a\n1\n")
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(InputError, match=r"t.json: not a table"):
        table(tmp_path, "t", "make")


def test_a_history_of_endless_lines_is_refused(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("a" * 200_000 + "\n1\n")
    with pytest.raises(InputError, match=r"history.csv: .*'make'"):
        read_history(path, "make")
