"""The page of all reports: whole, self-contained, and nothing in it that escapes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from matplotlib import pyplot as plt

from csvr.errors import UserError
from csvr.reporting import checks, style
from csvr.reporting.findings import Finding
from csvr.reporting.formats import html, markdown, table
from csvr.reporting.index import Item, body, data_uri, names_of, nodes, read_findings, write
from csvr.reporting.results import Expectation

ROW = "| title of full | 90.0 ± 1.0 (3) |\n"
TABLE = f"# Ablation on mannequin\n\n## Probe\n\n| variant | top-1 |\n|:--|--:|\n{ROW}"
ORIGIN = "\n## Where the numbers come from\n\nruns 1 → 2\n"
FINDING = Finding("error", "missing cell", "full seed 0", "</script><script>alert(1)</script>")


@pytest.fixture
def page(tmp_path: Path, expect, monkeypatch):
    """Write the page of a table and a figure; returns its text."""
    monkeypatch.chdir(tmp_path)

    def make(findings: tuple[Finding, ...] = (FINDING,), **changes: Any) -> str:
        Path("reports/figures").mkdir(parents=True, exist_ok=True)
        text = changes.get("table") or TABLE.replace(ROW, changes.get("rows", ROW))
        Path("reports/table_a.html").write_text(html(text + ORIGIN, "Ablation"))
        figure, _ = plt.subplots(figsize=(1, 1))
        style.save(figure, Path("reports/figures/b.png"))
        checks.write(findings, Path("reports/checks.md"), "mannequin", 0.1, 7)
        cell = "results/mannequin/full/sigma_p=1/seed0/metrics.json"
        graph = {
            "reports/table_a.html": {"sha256": "a" * 64, "from": [cell]},
            "reports/figures/b.png": {"sha256": "b" * 64, "from": []},
            cell: {"sha256": "c" * 64, "step": "evaluate", "run": "12", "from": ["features/index.csv"]},
            "features/index.csv": {"sha256": "d" * 64, "step": "index", "run": "1", "from": [], "videos": {"v": "e"}},
        }
        for name, run in changes.get("more", {}).items():
            graph[name] = {"sha256": "f" * 64, "step": "evaluate", "run": run, "from": []}
            graph["reports/table_a.html"]["from"].append(name)
        Path("reports/provenance.json").write_text(json.dumps(graph))
        items = changes.get("items") or [
            Item("reports/table_a.html", "accuracy", "Ablation", "What <it> shows."),
            Item("reports/figures/b.png", "a figure", "Ablation"),
        ]
        output = Path("reports/index.html")
        expected = changes.get("expected") or [Expectation.of(expect)]
        write(items, Path("reports/provenance.json"), Path("reports/checks.csv"), expected, output)
        return output.read_text()

    return make


def data(text: str) -> dict[str, Any]:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])


def test_the_findings_stand_before_the_reports(page) -> None:
    text = page()
    assert text.index("1 error, 0 warnings, 0 notes") < text.index("full seed 0") < text.index('id="table_a"')
    assert "alert(1)</script>" not in text and "What &lt;it&gt; shows." in text
    assert "<p>Nothing.</p>" in page(findings=())


def test_nothing_is_fetched(page) -> None:
    text = page()
    for source in re.findall(r'(?:src|href)="([^"]*)"', text):
        assert source.startswith(("data:image/png;base64,", "#"))
    assert not re.search(r"@import|url\(|https?://", text)


def test_tables_and_where_they_come_from(page) -> None:
    text = page()
    assert "90.0 ± 1.0 (3)" in text and "<h4>Probe</h4>" in text and "Ablation on mannequin" not in text
    places = [text.index(part) for part in ("90.0 ± 1.0 (3)", "<summary>Runs, hashes and machine", "runs 1 → 2")]
    assert places == sorted(places)
    found = data(text)
    (cell,) = found["used"]["reports/table_a.html"]
    assert found["files"][cell]["run"] == "12" and found["files"]["features/index.csv"]["videos"] == 1
    assert found["names"]["title of full"] == found["names"]["full"] == found["names"]["f_d"] == "full"
    row = found["rows"]["full"]
    assert f"/{row['cell']}/seed" in cell and row["params"]["pretrain"]["steps"] == 300
    assert "also as .md, .csv" not in text


def test_rows_of_a_sweep_are_named_by_their_weights(expect) -> None:
    """Of an expectation whose variants differ in nothing else."""
    points = {}
    for name, sigma_p in (("full", 1.0), ("sigma_p=0.5__sigma_c=3", 0.5)):
        params = expect["variants"]["full"]["params"] | {"sigma_p": sigma_p, "sigma_c": 3.0}
        points[name] = {"title": name, "description": "", "params": params}
        points[name] |= dict.fromkeys(("cell", "networks"), f"full/sigma_p={sigma_p:g}")
    sweep = Expectation.of(expect | {"variants": points, "order": list(points)})
    named = names_of([Expectation.of(expect), sweep])
    assert named["σ_p = 0.5, σ_c = 3"] == "sigma_p=0.5__sigma_c=3" and named["σ_p = 1, σ_c = 3"] == "full"
    assert not any(name.startswith("σ_p") for name in names_of([Expectation.of(expect)]))


def test_a_report_that_is_not_there_is_named(page) -> None:
    text = page(findings=(), items=[Item("reports/table_z.html", "lost table", "Lost")])
    assert "Missing: lost table." in text and "snakemake --cores 8 reports/table_z.html" in text
    assert "<p>Nothing.</p>" not in text


def test_what_is_no_report_is_refused(page, tmp_path) -> None:
    page()
    other = tmp_path / "other.html"
    other.write_text("no page")
    with pytest.raises(UserError, match=r"other\.html: not a page of csvr\.report"):
        body(other)
    with pytest.raises(UserError, match=r"other\.html: can't be shown"):
        data_uri(other)
    with pytest.raises(UserError, match=r"gone\.png: can't be read"):
        data_uri(tmp_path / "gone.png")
    with pytest.raises(UserError, match=r"other\.html: no readable provenance"):
        nodes(other)
    other.write_text("severity,what\nfatal,x\n")
    with pytest.raises(UserError, match="not the checks of csvr.report check"):
        read_findings(other)


def in_browser(page: str, script: str, file: Path) -> str:
    """The title that a script gives the page."""
    file.write_text(f"{page}<script>{script}</script>")
    words = "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"
    words += "--dump-dom", file.as_uri()
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    return re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)[1]


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs a browser")
def test_a_click_on_any_cell_shows_what_it_was_made_of(page, expect, tmp_path) -> None:
    """A point of the sweep its own runs, a difference those of full too, and a published row the file of it."""
    points = {
        name: {"title": name, "description": "", **dict.fromkeys(("cell", "networks"), f"full/sigma_p={p:g}")}
        | {"params": expect["variants"]["full"]["params"] | {"sigma_p": p, "sigma_c": 3.0}}
        for name, p in (("full", 1.0), ("sigma_p=0.5__sigma_c=3", 0.5))
    }
    sweep = Expectation.of(expect | {"variants": points, "order": list(points)})
    text = "# T\n\n| σ_p | σ_c | top-1 | Δ top-1 |\n|--:|--:|--:|--:|\n| 0.5 | 3 | 9 | +1 |\n| 1 | 3 | 8 | – |\n\n"
    text += "| method | source |\n|:--|--:|\n| Other | M |\n"
    more = {
        "results/mannequin/full/sigma_p=0.5/seed0/metrics.json": "55", "results/none/x/seed0/metrics.json": "66",
        "params/published/x.csv": "77",
    }  # fmt: skip
    acts = """
const [swept, published] = document.querySelectorAll("#table_a table"), seen = [];
for (const [table, row, cell] of [[swept, 0, 2], [swept, 0, 3], [swept, 1, 0], [published, 0, 1]]) {
  table.tBodies[0].rows[row].cells[cell].click();
  seen.push([...document.querySelectorAll("dialog li")].map(item => /run (\\d+)/.exec(item.textContent)[1]).join("+"));
}
document.title = seen.join(" / ");"""
    title = in_browser(page(table=text, more=more, expected=[sweep]), acts, tmp_path / "acted.html")
    # Of full's metrics the index is a source.
    assert title == "55 / 55+12+1 / 12+1 / 77"


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs a browser")
def test_a_click_sorts_and_another_shows_the_runs(page, tmp_path) -> None:
    acts = """
const table = document.querySelector("#table_a table"), heads = table.tHead.rows[0].cells;
const order = () => [...table.tBodies[0].rows].map(row => row.cells[0].textContent).join(",");
const seen = [];
for (const k of [1, 1, 0]) { heads[k].click(); seen.push(order()); }
table.tBodies[0].rows[2].cells[1].click();
seen.push(document.querySelector("dialog[open] div").textContent);
document.title = seen.join(" / ");"""
    rows = "| b | <0.001 |\n| c | missing |\n| title of full (this run) | −5.0 ± 1.0 (3) |\n"
    title = in_browser(page(rows=rows), acts, tmp_path / "acted.html")
    assert title.startswith("O,b,c / b,O,c / b,c,O / ".replace("O", "title of full (this run)"))
    # Values as sorted: what is missing stands last either way.
    assert "accuracy: title of full, top-1: −5.0" in title.replace("Accuracy", "accuracy")
    assert "step evaluate, run 12" in title and "1 videos" in title and '"steps": 300' in title


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs a browser")
@pytest.mark.parametrize(
    "name",
    [
        "<script>window.ran = 1</script>", "</script><script>window.ran = 1</script>",
        "<img src=x onerror=window.ran=1>", '"><svg onload=window.ran=1>', "<!--", "&lt;script&gt;window.ran = 1",
        "`<script>window.ran = 1</script>", "[x](javascript:window.ran=1)", "${window.ran = 1}",
        "</td></table><iframe srcdoc='<script>top.ran = 1</script>'>",
    ],
)  # fmt: skip
def test_a_name_of_a_class_runs_nothing(page, tmp_path, name: str) -> None:
    """Nor that of a file, a log line or a variant: all is text, and shown as it is."""
    shown = markdown(table("", ["class", "top-1"], [[name, "90.0"], ["title of full", "1"]]))
    more = {f"results/{name}/seed0/metrics.json": name}
    items = [Item("reports/table_a.html", name, name, name), Item("reports/gone.html", name, name)]
    text = page(
        findings=(Finding("error", "missing cell", name, name),), items=items, more=more,
        table=f"# T\n\n## P\n\n{shown}\n",
    )  # fmt: skip
    acts = """
const cells = [...document.querySelectorAll("td, th")];
const there = cells.some(cell => cell.textContent === NAME);
cells.forEach(cell => cell.click());
const strangers = document.querySelectorAll("iframe, svg").length;
setTimeout(() => { document.title = [window.ran === undefined, there, strangers]; }, 300);
document.title = "not yet";"""
    quoted = json.dumps(name).replace("<", "\\u003c")
    title = in_browser(text, acts.replace("NAME", quoted), tmp_path / "acted.html")
    # A browser takes white space together, Markdown takes an entity for what it means, and a link stays a text.
    assert title.startswith("true,") and title.endswith(",0"), title
    if "&" not in name:
        assert title == "true,true,0"


def test_the_command_writes_it(page, expect, call) -> None:
    page()
    sections = {"items": [{"file": "reports/table_a.html", "title": "t", "category": "c", "caption": "by command"}]}
    call(
        "index", "--items", json.dumps(sections), "--provenance", "reports/provenance.json", "--checks",
        "reports/checks.csv", "--expect", json.dumps(expect), "--output", "reports/other.html",
    )  # fmt: skip
    assert "by command" in Path("reports/other.html").read_text()
