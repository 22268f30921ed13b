"""Runs in a database besides the files: all of them, each once, and no run lost for a database's sake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from csvr.errors import UserError
from csvr.tracking.observer_url import VARIABLE, reason, setting, shown
from csvr.tracking.observers import database, unreachable, unrecorded
from csvr.tracking.sources import ROOT
from tests.tracking import postgres

SCRIPT = """
import os, sys, time
from pathlib import Path
from csvr.tracking.record import record

def main(config, run):
    print("begun\\0")
    {body}
    return {{"answer": 42}}

record("evaluate", main, {{"seed": 3}}, Path(sys.argv[1]))
"""

MANY = """
import multiprocessing, sys
from pathlib import Path
from csvr.tracking.record import record

def work(k):
    # Two working copies.
    return record("evaluate", lambda config, run: {"k": k}, {"seed": k}, Path(sys.argv[1 + k % 2]))

with multiprocessing.get_context("fork").Pool(16) as pool:
    pool.map(work, range(100), chunksize=1)
"""


@pytest.fixture(scope="module")
def postgresql() -> Iterator[postgres.Server]:
    with postgres.server() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs.db"
    server = request.getfixturevalue("postgresql")
    name = f"t{abs(hash(tmp_path))}"
    with engine(server.url).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    return server.url.replace("/postgres?", f"/{name}?")


def engine(url: str) -> sa.Engine:
    return sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)


def rows(url: str, table: str = "run") -> list[dict[str, Any]]:
    with engine(url).connect() as connection:
        return [dict(row) for row in connection.execute(sa.text(f"SELECT * FROM {table}")).mappings()]


def run(script: str, url: str, *words: str | Path, code: int = 0) -> str:
    """Run a script under this setting; its error output."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script), *map(str, words)],
        cwd=ROOT, env=os.environ | {VARIABLE: url}, text=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stderr


def filed(runs: Path, number: int = 1) -> dict[str, Any]:
    return dict(json.loads((runs / f"{number}/run.json").read_text()))


def test_hundred_runs_sixteen_at_once_from_two_working_copies(url: str, tmp_path: Path) -> None:
    folders = [tmp_path / name / "runs" for name in ("one", "two")]
    assert "CSVR_OBSERVER" not in run(MANY, url, *folders)
    found = rows(url)
    assert len(found) == len({row["run_id"] for row in found}) == 100
    assert {row["status"] for row in found} == {"COMPLETED"}
    assert sorted(json.loads(row["info"])["result"]["k"] for row in found) == list(range(100))
    assert {json.loads(row["config"])["seed"] for row in found} == set(range(100))
    # The files give the ids, and name their rows.
    for folder in folders:
        keys = {path.parent.name: json.loads(path.read_text())["database_run"] for path in folder.glob("*/info.json")}
        assert len(keys) == 50 and all(key.startswith(f"{number}-") for number, key in keys.items())
        assert set(keys.values()) <= {row["run_id"] for row in found}
    # What runs share is there once.
    assert len(rows(url, "host")) == len(rows(url, "experiment")) == 1
    sources = rows(url, "source")
    assert len(sources) == len({row["filename"] for row in sources}) == len(list((ROOT / "csvr").rglob("*.py")))
    assert all(row["content"] == (ROOT / row["filename"]).read_text() for row in sources)


@pytest.mark.parametrize(
    ("body", "status"),
    [("pass", "COMPLETED"), ("raise ValueError('why')", "FAILED"), ("raise KeyboardInterrupt", "INTERRUPTED")],
)
def test_how_a_run_ended(url: str, tmp_path: Path, body: str, status: str) -> None:
    run(SCRIPT.format(body=body), url, tmp_path / "runs", code=0 if status == "COMPLETED" else 1 if "V" in body else -2)
    (row,) = rows(url)
    assert row["status"] == filed(tmp_path / "runs")["status"] == status
    assert row["stop_time"] and (status != "COMPLETED" or row["captured_out"].startswith("begun"))
    assert status != "FAILED" or "ValueError: why" in row["fail_trace"]


def test_relative_file_is_beside_the_runs(tmp_path: Path) -> None:
    """Jobs of `dvc exp run --temp` work in a folder that is deleted."""
    run(SCRIPT.format(body="pass"), "sqlite:///runs.db", tmp_path / "runs")
    assert len(rows(f"sqlite:///{tmp_path}/runs.db")) == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@127.0.0.1:1/runs", "postgresql://me@127.0.0.1:1/runs?password=hunter2",
        "mongodb://me:hunter2@127.0.0.1:1/runs?serverSelectionTimeoutMS=300", "sqlite:////nowhere/runs.db",
    ],
)  # fmt: skip
def test_database_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    runs = tmp_path / "runs"
    said = run(SCRIPT.format(body="time.sleep(0.1)"), url, runs)
    assert filed(runs)["status"] == "COMPLETED" and filed(runs)["result"] == {"answer": 42}
    (line,) = [line for line in said.splitlines() if VARIABLE in line]
    assert f"{shown(setting_of(url))} does not record this run, {runs}/1 does: " in line
    assert "Traceback" not in said
    files = "".join(path.read_text() for path in runs.rglob("*.*") if path.suffix != ".py")
    assert "hunter2" not in said + files and line in files
    # What the workflow says at its end, and at its start.
    assert unrecorded(runs, 0) == f"1 run(s) not recorded, e.g. {line[line.index(VARIABLE) :]}"
    assert unrecorded(runs, time.time() + 1) is None
    monkeypatch.setenv(VARIABLE, url)
    assert f"{shown(setting_of(url))} can't be reached; runs are recorded in {runs} only: " in str(unreachable(runs))


def setting_of(url: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, url)
        return setting()


def test_server_that_stops_and_one_that_comes_back(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with postgres.server() as server:
        stop = "from csvr.tracking import record as r; from tests.tracking.postgres import Server; "
        stop += f"s = Server(Path('{server.folder}')); s.stop()"
        beat = "; run._emit_heartbeat()"
        said = run(SCRIPT.format(body=stop + beat + beat), server.url, runs)
        assert said.count(VARIABLE) == 1 and "Traceback" not in said
        assert filed(runs)["status"] == "COMPLETED" and (runs / "1/observer_failed.txt").exists()
        server.start()
        (row,) = rows(server.url)
        assert row["status"] == "RUNNING"
        # Back before the end: the row has everything.
        said = run(SCRIPT.format(body=f"{stop}{beat}; s.start()"), server.url, runs)
        row = next(row for row in rows(server.url) if row["run_id"].startswith("2-"))
        assert row["status"] == "COMPLETED" and json.loads(row["info"])["result"] == {"answer": 42}
        assert not (runs / "2/observer_failed.txt").exists()
        # There only at the end.
        server.stop()
        said = run(SCRIPT.format(body=f"{stop.replace('s.stop()', 's.start()')}"), server.url, runs)
        assert said.count(VARIABLE) == 1
        row = next(row for row in rows(server.url) if row["run_id"].startswith("3-"))
        assert row["status"] == "COMPLETED" and not (runs / "3/observer_failed.txt").exists()


def test_mongodb(tmp_path: Path) -> None:
    """By a fake of pymongo, since no server can be had from Debian."""
    script = """
    import json, sys
    from pathlib import Path
    import mongomock, pymongo
    from mongomock.gridfs import enable_gridfs_integration
    from csvr.tracking.record import record

    enable_gridfs_integration()
    with mongomock.patch(servers=(("db.example", 27017),)):
        def main(config, run):
            run.log_scalar("loss", 0.5, 1)
            return {"answer": 42}
        for copy in ("one", "two"):
            record("evaluate", main, {"seed": 3}, Path(sys.argv[1]) / copy)
        try:
            record("evaluate", lambda config, run: 1 / 0, {"seed": 3}, Path(sys.argv[1]) / "two")
        except ZeroDivisionError:
            pass
        database = pymongo.MongoClient("mongodb://db.example")["research"]
        print(json.dumps({
            "runs": [{k: v for k, v in run.items() if k in ("_id", "status", "result", "config")}
                     for run in database.runs.find()],
            "metrics": [metric["values"] for metric in database.metrics.find()],
            "files": [file["filename"] for file in database["fs.files"].find()],
        }), file=sys.stderr)
    """
    said = run(script, "mongodb://me:hunter2@db.example/research", tmp_path)
    found = json.loads(said.splitlines()[-1])
    assert VARIABLE not in said and "hunter2" not in said
    assert [(row["_id"].split("-")[0], row["status"]) for row in found["runs"]] == [
        ("1", "COMPLETED"), ("1", "COMPLETED"), ("2", "FAILED"),
    ]  # fmt: skip
    assert found["runs"][0]["result"] == {"answer": 42} and found["runs"][0]["config"]["seed"] == 3
    assert found["metrics"] == [[0.5], [0.5]]
    assert len(found["files"]) == len(set(found["files"])) == len(list((ROOT / "csvr").rglob("*.py")))


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("mysql://me:hunter2@host/runs", "unknown scheme 'mysql'; known: sqlite:///FILE, postgresql://"),
        ("runs.db", "unknown scheme ''"),
        ("sqlite://", "no file in the URL"),
        ("sqlite://runs.db", "no file in the URL"),
        ("postgresql://me:hunter2@host", "no database in the URL"),
        ("postgresql://me:hunter2#@host/runs", "not a URL .*%XX"),
        ("postgresql://me:1/hunter2@host/runs", "not a URL .*%XX"),
        ("mongodb://me:hunter2?@host/runs", "not a URL .*%XX"),
        ("mongodb:///runs", "no host in the URL"),
    ],
)
def test_wrong_setting_is_one_line(monkeypatch: pytest.MonkeyPatch, url: str, named: str) -> None:
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(UserError, match=f"^CSVR_OBSERVER: {named}") as error:
        setting()
    assert "hunter2" not in str(error.value) and "\n" not in str(error.value)


def test_wrong_setting_starts_no_run(tmp_path: Path) -> None:
    run(SCRIPT.format(body="pass"), "mysql://host/runs", tmp_path / "runs", code=1)
    assert not (tmp_path / "runs").exists()


def test_no_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert setting() is None and database(tmp_path) is None and unreachable(tmp_path) is None


def test_no_driver_is_needed_without_it(tmp_path: Path) -> None:
    """And with it a missing one is a warning."""
    without = "import sys\nfor name in ('sqlalchemy', 'psycopg', 'pymongo', 'gridfs'): sys.modules[name] = None\n"
    assert VARIABLE not in run(without + SCRIPT.format(body="pass"), "", tmp_path / "runs")
    said = run(without + SCRIPT.format(body="pass"), "postgresql://host/runs", tmp_path / "runs")
    assert "sqlalchemy" in said and said.count(VARIABLE) == 1 and filed(tmp_path / "runs", 2)["status"] == "COMPLETED"


def test_nothing_secret_is_shown() -> None:
    url = setting_of("postgresql://me:hun%24ter@host:5433/runs?sslpassword=letmein&connect_timeout=3")
    assert shown(url) == "postgresql://me@host:5433/runs"
    assert reason(url, ValueError("no: hun$ter, hun%24ter, letmein\nmore")) == "no: ***, ***, ***"
