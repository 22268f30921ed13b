"""Published numbers: each with its source, and never among those that can't be compared."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from csvr.errors import UserError
from csvr.reporting.published import COLUMNS, SOURCES, apart, read
from tests.workflow.repository import ROOT

FILES = {path.stem: path for path in (ROOT / "params/published").glob("*.csv")}
RIGHT = ["CMD", "2021", "UCF101", "C3D", "16x112", "RGB", "UCF101", "top1", "78.6", "C", "model card", ""]


def write(path: Path, *rows: list[str], head: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


def changed(**values: str) -> list[str]:
    return list((dict(zip(COLUMNS, RIGHT, strict=True)) | values).values())


def test_files_are_as_they_must_be() -> None:
    assert set(FILES) == {"finetune", "linear", "retrieval", "ssv2"}
    for path in FILES.values():
        table = read(path)
        numbers = table[table.number.notna()]
        assert len(numbers) > 5 and (numbers.source != "-").all() and (numbers["where"] != "").all()
        own = table[table.method == "CSVR"]
        assert len(own) and set(own.value) == {"not available"} and own.number.isna().all()


@pytest.mark.parametrize(
    ("file", "where", "value"),
    [
        ("finetune", {"method": "CMD", "pretraining": "UCF101", "backbone": "R(2+1)D-26", "dataset": "HMDB51"}, [48.6]),
        ("finetune", {"method": "CVRL", "pretraining": "K400", "dataset": "HMDB51"}, [67.9, 66.7]),
        ("linear", {"method": "MVCGC", "pretraining": "K400", "dataset": "UCF101"}, [75.4]),
        ("retrieval", {"method": "VCOP", "dataset": "HMDB51", "metric": "R@50"}, [70.1]),
        ("ssv2", {"method": "RSPNet", "backbone": "C3D"}, [47.76]),
    ],
)
def test_numbers_are_those_of_the_sources(file: str, where: dict[str, str], value: list[float]) -> None:
    table = read(FILES[file])
    for key, wanted in where.items():
        table = table[table[key] == wanted]
    assert table.number.tolist() == value
    # Sources that disagree say so.
    assert len(value) == 1 or all("conflict" in note for note in table.note)


def test_doubtful_numbers_are_left_out_with_a_note() -> None:
    table = read(FILES["retrieval"])
    cmd = table[table.method == "CMD"]
    assert set(cmd.value) == {"left out"} and all("doubtful" in note for note in cmd.note)


def test_a_number_without_a_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"p.csv: line 2: a number without a source$"):
        read(write(tmp_path / "p.csv", changed(source="-")))
    with pytest.raises(UserError, match=r"p.csv: line 2: source is empty$"):
        read(write(tmp_path / "p.csv", changed(source="")))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"value": "much"}, "value 'much' is neither a number from 0 to 100 nor not available nor left out"),
        ({"value": "101"}, "value '101' is neither"),
        ({"value": "nan"}, "value 'nan' is neither"),
        ({"value": "left out"}, "value 'left out' needs a note"),
        ({"source": "C, X"}, "source 'X' is none of M, V"),
        ({"metric": "R@2"}, "metric 'R@2' is none of top1"),
        ({"dataset": "UCF"}, "dataset 'UCF' is none of UCF101"),
        ({"year": "21"}, "year '21' is no year"),
        ({"where": ""}, "where is empty"),
    ],
)
def test_wrong_rows_are_named_all_at_once(tmp_path: Path, values: dict[str, str], said: str) -> None:
    with pytest.raises(UserError) as error:
        read(write(tmp_path / "p.csv", RIGHT, changed(method=""), changed(**values)))
    assert f"p.csv: line 3: method is empty; line 4: {said}" in str(error.value)


def test_other_columns_and_rows_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has columns .*expected"):
        read(write(tmp_path / "p.csv", RIGHT[:-1], head=COLUMNS[:-1]))
    with pytest.raises(UserError, match="line 3: the same row as one before"):
        read(write(tmp_path / "p.csv", RIGHT, RIGHT))
    with pytest.raises(UserError, match="no readable table"):
        read(tmp_path / "none.csv")


def test_rows_of_other_pretraining_stand_apart() -> None:
    same, other = apart(read(FILES["finetune"]), "ucf101", "ucf101")
    assert set(same.pretraining) == {"UCF101"} and "UCF101" not in set(other.pretraining)
    assert set(same.dataset) == set(other.dataset) == {"UCF101"} and set(SOURCES) >= {"M", "C"}
    assert len(apart(read(FILES["finetune"]), "mannequin", "mannequin")[1]) == 0
