"""Make one report from finished runs: python -m csvr.report {ablation,per-class,pose-quality,curves} …

ablation: the table (Markdown, with .csv and .html beside it) and its figure. per-class: accuracy of each class by
feature. pose-quality: the table of csvr.pose_quality's measurements. curves: loss terms over pretraining.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from csvr import cli
from csvr.reporting import ablation, ablation_figure, curves, per_class, pose_quality
from csvr.reporting.results import Expectation, Results, load


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("ablation", "per-class", "pose-quality", "curves"):
        command = commands.add_parser(name, allow_abbrev=False)
        command.add_argument("--output", type=Path, required=True, help="file to write")
        if name in ("ablation", "per-class"):
            command.add_argument("--metrics", type=Path, nargs="+", required=True, help="files of csvr.evaluate")
            command.add_argument("--expect", type=cli.parameters, required=True, help="variants, seeds and groups")
        if name == "ablation":
            command.add_argument("--figure", type=Path, required=True, help="PNG file to write")
        if name == "pose-quality":
            command.add_argument("--quality", type=Path, required=True, help="file of csvr.pose_quality")
        if name == "curves":
            command.add_argument(
                "--histories", type=Path, nargs="+", required=True, help="<variant>/seed<k>/history.csv"
            )
    return parser.parse_args()


def main() -> None:
    """Parse flags and write the report."""
    args = parse()
    if args.command == "pose-quality":
        pose_quality.write(args.quality, args.output)
    elif args.command == "curves":
        curves.draw(args.histories, args.output)
    else:
        results: Results = load(args.metrics, Expectation.of(args.expect))
        if args.command == "ablation":
            ablation.write(results, args.output)
            ablation_figure.draw(results, args.figure)
        else:
            per_class.draw(results, args.output)


if __name__ == "__main__":
    cli.run(main)
