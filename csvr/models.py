"""Size of every network: python -m csvr.models --params params.yaml [--output reports/table_models.md]

Prints a Markdown table: parameters, FLOPs and shapes of each network that pretraining with these parameters builds.
Nothing is computed and no memory is used for it, however large the networks are: tensors are on torch's meta device.
"""

from __future__ import annotations

from csvr import cli


def main() -> None:
    """Parse flags; print the table, and write it if asked to."""
    parser = cli.parser(__doc__, records=False)
    parser.add_argument("--params", type=cli.parameters, required=True, help="effective parameters: YAML text or file")
    parser.add_argument("--output", type=cli.written, help="Markdown file to write; the other formats beside it")
    args = cli.parse(parser)
    from csvr.pretrain.sizes import networks
    from csvr.reporting import formats
    from csvr.reporting.networks import table, text

    shown = table(networks(args.params))
    report = text(args.params, shown)
    if args.output:
        formats.write(args.output, report, [shown])
    print(report, end="")


if __name__ == "__main__":
    cli.run(main)
