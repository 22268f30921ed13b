"""Draw what pretrained networks predict: python -m csvr.predictions --networks … --output predictions.png

A row a test video: its clip, how the first generator reconstructs it, its future, how the second generator predicts
it; and the poses of the future, predicted over estimated. What the variant has no branch for is left out.
"""

from __future__ import annotations

from pathlib import Path

from csvr import cli


def main() -> None:
    """Parse flags, check, draw."""
    parser = cli.features_parser(__doc__)
    parser.add_argument("--networks", type=Path, required=True, help="output of python -m csvr.pretrain")
    parser.add_argument("--expect", type=cli.parameters, required=True, help="what the reports are to show")
    parser.add_argument("--output", type=cli.written, nargs="+", required=True, help="PNG, SVG and PDF files")
    args = cli.parse(parser)
    from csvr.data import index
    from csvr.data.batches import ClipShape, Features
    from csvr.evaluation.networks import load_networks, require_same_data
    from csvr.evaluation.pretext import centre_views
    from csvr.refusal import require
    from csvr.reporting.groups import spelled
    from csvr.reporting.predictions import draw, examples
    from csvr.reporting.results import Expectation

    cli.limit_threads(args.threads)
    expected = Expectation.of(args.expect)
    features = Features(args.clips, args.poses, [], ClipShape(**args.params["clip"]))
    table = index.read(args.index)
    model, header = load_networks(args.networks, args.params, len(features.keypoints(table.video[0], 0)))
    require_same_data(args.networks, header["data"], features.provenance(args.index))
    mend = f"snakemake --cores 8 {args.networks} --forcerun pretrain"
    require(args.networks, {"code.pretrain": header["code"]}, {"code.pretrain": expected.code["pretrain"]}, mend)
    videos = examples(table, spelled(expected.groups, table["class"].unique()))
    titles = table.set_index("video").loc[videos, "class"].tolist()
    draw(model, centre_views(features, videos), titles, *args.output)


if __name__ == "__main__":
    cli.run(main)
