"""Runs are recorded whatever becomes of them, each under an id of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from csvr import runs
from csvr.tracking.checkout import git_state
from csvr.tracking.record import record
from csvr.tracking.sources import ROOT, code_hash

SCRIPT = """
import sys, time
from pathlib import Path
from csvr.tracking.record import record

def main(config, run):
    print("started", flush=True)
    {body}
    return {{"answer": 42}}

record("evaluate", main, {{"seed": 3}}, Path(sys.argv[1]))
"""


def start(folder: Path, body: str = "pass") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SCRIPT.format(body=body), str(folder)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def recorded(folder: Path) -> list[dict[str, object]]:
    paths = sorted(folder.glob("*/run.json"), key=lambda path: int(path.parent.name))
    return [json.loads(path.read_text()) | {"folder": path.parent} for path in paths]


def test_result_sources_and_code(tmp_path: Path) -> None:
    assert start(tmp_path).wait() == 0
    (run,) = recorded(tmp_path)
    assert run["status"] == "COMPLETED" and run["result"] == {"answer": 42}
    assert json.loads((tmp_path / "1/info.json").read_text())["code_sha256"] == code_hash("evaluate")
    sources = [name for name, _ in run["experiment"]["sources"]]  # type: ignore[index]
    assert "csvr/evaluation/probe.py" in sources and "csvr/tracking/record.py" in sources
    assert set(sources) >= {path.relative_to(ROOT).as_posix() for path in (ROOT / "csvr").rglob("*.py")}
    commits = {repository["commit"] for repository in run["experiment"]["repositories"]}  # type: ignore[index]
    assert commits == {git_state()["commit"]}


@pytest.mark.parametrize(
    ("origin", "kept"),
    [
        ("https://me:hunter2@host/a/b@c.git", "https://host/a/b@c.git"), ("https://hunter2@host/a", "https://host/a"),
        ("https://host/a", "https://host/a"), ("/home/me/a@b", "/home/me/a@b"), ("ssh://git@host", "ssh://host"),
    ],
)  # fmt: skip
def test_no_password_of_where_the_checkout_came_from(
    origin: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sacred.dependencies.get_commit_if_possible", lambda *_: (origin, "c" * 40, False))
    record("evaluate", lambda config, run: None, {}, tmp_path)
    (run,) = recorded(tmp_path)
    assert {found["url"] for found in run["experiment"]["repositories"]} == {kept}  # type: ignore[index]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]


@pytest.mark.parametrize(
    ("body", "status"), [("raise ValueError", "FAILED"), ("raise KeyboardInterrupt", "INTERRUPTED")]
)
def test_job_that_fails(tmp_path: Path, body: str, status: str) -> None:
    assert start(tmp_path, body).wait() != 0
    assert [run["status"] for run in recorded(tmp_path)] == [status]


def test_job_that_is_ended(tmp_path: Path) -> None:
    process = start(tmp_path, "time.sleep(60)")
    assert process.stdout is not None and process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) != 0
    assert [run["status"] for run in recorded(tmp_path)] == ["INTERRUPTED"]


def test_job_that_is_killed_shows_as_dead(tmp_path: Path) -> None:
    process = start(tmp_path, "time.sleep(60)")
    assert process.stdout is not None and process.stdout.readline() == "started\n"
    time.sleep(0.5)
    process.kill()
    process.wait()
    assert runs.table(tmp_path)[0]["status"] == "RUNNING"
    path = tmp_path / "1/run.json"
    run = json.loads(path.read_text())
    for key in ("start_time", "heartbeat"):
        if run.get(key):
            run[key] = (datetime.fromisoformat(run[key]) - timedelta(minutes=5)).isoformat()
    path.write_text(json.dumps(run))
    assert runs.table(tmp_path)[0]["status"] == "DIED"


def test_list_tells_cells_of_one_variant_apart(tmp_path: Path) -> None:
    for number, sigma_p in enumerate((0.5, 1.0), start=1):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}/run.json").write_text(json.dumps({"experiment": {"name": "pretrain"}}))
        config = {"variant": "full", "seed": 0, "sigma_v": 1.0, "sigma_p": sigma_p, "sigma_c": 3}
        (tmp_path / f"{number}/config.json").write_text(json.dumps(config))
    assert [row["step"] for row in runs.table(tmp_path)] == [
        f"pretrain full sigma_v=1__sigma_p={text}__sigma_c=3" for text in ("0.5", "1")
    ]


def test_list_has_a_line_for_each_run(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    result = {f"linear_{share}pct/{feature}": 0.5 for share in range(9) for feature in ("all", "f_s")}
    (tmp_path / "1/run.json").write_text(json.dumps({"result": result}))
    (row,) = runs.table(tmp_path)
    assert row["result"] == "linear_0pct/all=0.5 linear_0pct/f_s=0.5 …"


def test_ids_do_not_collide(tmp_path: Path) -> None:
    """100 runs, 16 processes at once."""
    # Forked from one process, since each on its own would import for seconds.
    words = """
    import multiprocessing, sys
    from pathlib import Path
    from csvr.tracking.record import record

    def work(k):
        return record("evaluate", lambda config, run: run._id, {"seed": k}, Path(sys.argv[1]))

    with multiprocessing.get_context("fork").Pool(16) as pool:
        print(*pool.map(work, range(100), chunksize=1))
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(words), str(tmp_path)],
        cwd=ROOT, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(map(int, done.stdout.split())) == list(range(1, 101))
    found = recorded(tmp_path)
    assert len(found) == 100 and {run["status"] for run in found} == {"COMPLETED"}
    assert {json.loads((tmp_path / f"{k}/config.json").read_text())["seed"] for k in range(1, 101)} == set(range(100))
