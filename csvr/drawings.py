"""Draw the networks: python -m csvr.drawings {architecture,integration} --params params.yaml --output figure.svg

architecture: the branches and their losses, with all shapes (Figure 1 of the paper). integration: the layer that makes
f_i of f_s and f_d, in the mode of the parameters (Figure 2). Drawn is what `python -m csvr.models` builds.
"""

from __future__ import annotations

from csvr import cli


def main() -> None:
    """Parse flags, draw."""
    parser = cli.parser(__doc__, records=False)
    parser.add_argument("drawing", choices=("architecture", "integration"), help="what to draw")
    parser.add_argument("--params", type=cli.parameters, required=True, help="effective parameters: YAML text or file")
    parser.add_argument("--output", type=cli.written, nargs="+", required=True, help="PNG, SVG and PDF files")
    args = cli.parse(parser)
    from csvr.reporting import style
    from csvr.reporting.architecture import architecture, built
    from csvr.reporting.layer_drawing import integration

    draw = architecture if args.drawing == "architecture" else integration
    found = built(args.params)
    style.save(draw(args.params, found).finish(), *args.output)


if __name__ == "__main__":
    cli.run(main)
