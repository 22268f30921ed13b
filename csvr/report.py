"""Make one report from finished runs: python -m csvr.report {ablation,integration,sigma,per-class,…} …

Every table is written as Markdown (`--output`) with .html, .tex and .csv beside it. Each report refuses results that
were not made as `--expect` says; check lists those among what is missing, failed or odd; index has all on one page.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from csvr import cli
from csvr.errors import UserError

BESIDE = ("linear-probe", "retrieval", "action-recognition")
"""Reports with published numbers beside ours."""
REPORTS = {
    "ablation": "Accuracy of every variant: table and figure.",
    "integration": "Accuracy by form of the integration layer.",
    "sigma": "Accuracy by loss weights: table and figure.",
    "features": "Accuracy by feature, f_s, f_d, f_i and all.",
    "linear-probe": "Accuracy by amount of labels, with published numbers beside.",
    "retrieval": "Retrieval by depth, with published numbers beside.",
    "action-recognition": "Accuracy fine-tuned, with published numbers beside.",
    "cost": "Time, memory and sizes of networks.",
    "generation-quality": "Quality of generated clips.",
    "pose-quality": "How good poses are: those predicted and, with a file of csvr.pose_quality, those estimated.",
    "per-class": "Accuracy of each class by feature (a figure).",
    "confusion": "Which classes are taken for which (a figure).",
    "training-curves": "Loss terms over pretraining (a figure).",
    "summary": "All numbers as JSON, and tables to plot.",
}
"""What each report shows."""
DRAWINGS = ("per-class", "training-curves", "confusion")
"""Reports that are a figure and no table."""


def parse() -> argparse.Namespace:
    """The command line."""
    parser = cli.parser(__doc__, records=False, writes=False)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, shown in REPORTS.items():
        command = cli.subcommand(commands, name, shown)
        drawing = name in DRAWINGS
        command.add_argument(
            "--output", type=cli.written, nargs="+" if drawing else None, required=True,
            help="PNG, SVG and PDF files to write" if drawing else "file to write",
        )  # fmt: skip
        command.add_argument("--expect", type=cli.parameters, required=True, help="variants, seeds, groups, hashes")
        if name != "training-curves":
            command.add_argument("--index", type=Path, help="index of the data set; results on another are refused")
        if name not in ("training-curves", "generation-quality"):
            command.add_argument("--metrics", type=Path, nargs="+", required=True, help="files of csvr.evaluate")
        if name in BESIDE:
            command.add_argument("--published", type=Path, required=True, help="file of params/published/")
        if name in ("ablation", "sigma"):
            command.add_argument("--figure", type=cli.written, nargs="+", required=True, help="PNG, SVG and PDF files")
        if name in ("pose-quality", "summary"):
            command.add_argument(
                "--pose-quality", type=Path, help="file of csvr.pose_quality, if there are true keypoints"
            )
        if name == "generation-quality":
            command.add_argument(
                "--quality", type=Path, nargs="+", required=True, help="files of csvr.generation_quality"
            )
        if name in ("training-curves", "summary"):
            count = "+" if name == "training-curves" else "*"
            command.add_argument(
                "--history",
                type=Path,
                nargs=count,
                required=True,
                help="training curves of python -m csvr.pretrain: <cell>/seed<k>/history.csv",
            )
        if name == "summary":
            command.add_argument("--plots", type=cli.written, required=True, help="folder for tables to plot (CSV)")
    check = cli.subcommand(commands, "check", "What is missing, failed or odd about all results.")
    check.add_argument(
        "--metrics", type=cli.perhaps, nargs="+", required=True, help="files of csvr.evaluate, there or not"
    )
    check.add_argument("--index", type=Path, nargs="+", required=True, help="of what is evaluated on, then of others")
    check.add_argument("--outlier", type=float, required=True, help="how far top-1 may be off, a share")
    check.add_argument("--quality", type=cli.perhaps, nargs="+", help="files of csvr.generation_quality, there or not")
    check.add_argument("--expect-quality", type=cli.parameters, help="what the table of these is to show")
    check.add_argument(
        "--outlier-quality", type=cli.parameters, default={}, help="how far a measure may be off, shares"
    )
    check.add_argument("--poses", type=Path, nargs="*", default=[], help="shards of python -m csvr.poses")
    check.add_argument("--nobody", type=float, default=1.0, help="share of videos in which nobody may be found")
    check.add_argument("--runs", type=cli.perhaps, help="folder of the Sacred runs, to find those that failed")
    page = cli.subcommand(commands, "index", "All reports on one page.")
    page.add_argument("--items", type=cli.parameters, required=True, help="what to show: {items: [{file, title, …}]}")
    page.add_argument("--provenance", type=Path, required=True, help="file of csvr.provenance")
    page.add_argument("--checks", type=Path, required=True, help="CSV file of check")
    for command in (check, page):
        command.add_argument("--expect", type=cli.parameters, nargs="+", required=True, help="--expect of all tables")
        command.add_argument("--output", type=cli.written, required=True, help="file to write")
    return cli.parse(parser)


def over_all(args: argparse.Namespace) -> None:
    """Write what is about all reports: the checks, or the page."""
    from csvr.reporting import checks, index
    from csvr.reporting.generation_checks import Measured
    from csvr.reporting.results import Expectation
    from csvr.tracking.checkout import git_state

    expectations = [Expectation.of(params) for params in args.expect]
    if args.command == "check":
        if bool(args.quality) != bool(args.expect_quality):
            raise UserError("--quality and --expect-quality: one is of no use without the other")
        measured, files = None, [*args.metrics, *(args.quality or [])]
        if args.quality:
            measured = Measured(Expectation.of(args.expect_quality), args.quality, args.outlier_quality)
        commit = git_state()["commit"]
        found = checks.examine(
            expectations, args.metrics, args.index, args.outlier, commit, measured, args.runs, args.poses, args.nobody
        )
        checks.write(found, args.output, expectations[0].dataset, args.outlier, len(files))
    else:
        items = index.read_items(args.items)
        index.write(items, args.provenance, args.checks, expectations, args.output)


def main() -> None:
    """Parse flags and write the report."""
    args = parse()
    if args.command in ("check", "index"):
        over_all(args)
        return
    from csvr.reporting import (
        ablation,
        ablation_figure,
        confusion,
        cost,
        curves,
        features,
        generation,
        integration,
        linear_probe,
        per_class,
        pose_quality,
        recall,
        recognition,
        sigma,
        summary,
    )
    from csvr.reporting.results import Expectation, Results, load

    expected = Expectation.of(args.expect)
    if args.command == "generation-quality":
        generation.write(args.quality, args.output, expected, args.index)
    elif args.command == "training-curves":
        curves.draw(args.history, expected, *args.output)
    else:
        results: Results = load(args.metrics, expected, args.index)
        if args.command == "ablation":
            ablation.write(results, args.output)
            ablation_figure.draw(results, *args.figure)
        elif args.command == "sigma":
            sigma.write(results, args.output)
            sigma.draw(results, *args.figure)
        elif args.command == "pose-quality":
            pose_quality.write(results, args.output, args.pose_quality, args.index)
        elif args.command in BESIDE:
            beside = {"linear-probe": linear_probe, "retrieval": recall, "action-recognition": recognition}[
                args.command
            ]
            beside.write(results, args.output, args.published)
        elif args.command == "features":
            features.write(results, args.output)
        elif args.command == "cost":
            cost.write(results, args.output)
        elif args.command == "integration":
            integration.write(results, args.output)
        elif args.command == "confusion":
            confusion.draw(results, *args.output)
        elif args.command == "summary":
            measured = args.pose_quality
            quality = pose_quality.read(measured, expected, args.index)["all"] if measured else None
            summary.write(results, args.history, quality, args.output, args.plots)
        else:
            per_class.draw(results, *args.output)


if __name__ == "__main__":
    cli.run(main)
