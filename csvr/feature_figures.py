"""Draw what pretrained features hold: python -m csvr.feature_figures {retrieval,features,mask} --networks … --output …

retrieval: test videos and their nearest training videos, right and wrong ones framed. features: f_s, f_d and f_i of
all test videos in two dimensions (t-SNE). mask: where the integration layer takes the motion side, over frames of test
videos.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from csvr import cli
from csvr.errors import UserError
from csvr.files import sha256

FIGURES: Final = ("retrieval", "features", "mask")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = cli.features_parser(__doc__)
    parser.add_argument("figure", choices=FIGURES, help="what to draw")
    parser.add_argument("--networks", type=Path, required=True, help="output of python -m csvr.pretrain")
    parser.add_argument("--frozen", type=Path, help="features of python -m csvr.evaluate, which all but mask show")
    parser.add_argument("--pretrained-index", type=Path, help="index of the data set of pretraining, if another one")
    parser.add_argument("--expect", type=cli.parameters, required=True, help="what the reports are to show")
    parser.add_argument("--output", type=cli.written, nargs="+", required=True, help="PNG, SVG and PDF files")
    return cli.parse(parser)


def main() -> None:
    """Parse flags, check, draw."""
    args = parse()
    if args.frozen is None and args.figure != "mask":
        raise UserError(f"--frozen is missing: {args.figure} shows features of python -m csvr.evaluate")
    from csvr.data import index
    from csvr.data.batches import ClipShape, Features
    from csvr.evaluation.frozen import Frozen
    from csvr.evaluation.measure import readouts
    from csvr.evaluation.networks import load_networks, require_pretrained_on
    from csvr.refusal import require
    from csvr.reporting.feature_figures import DRAWN, Inputs
    from csvr.reporting.groups import spelled
    from csvr.reporting.results import Expectation

    cli.limit_threads(args.threads)
    expected = Expectation.of(args.expect)
    features = Features(args.clips, args.poses, [], ClipShape(**args.params["clip"]))
    table = index.read(args.index)
    model, header = load_networks(args.networks, args.params, len(features.keypoints(table.video[0], 0)))
    present = features.provenance(args.index)
    require_pretrained_on(args.networks, header["data"], present, args.index, args.pretrained_index)
    mend = f"snakemake --cores 8 {args.networks} --forcerun pretrain"
    require(args.networks, {"code.pretrain": header["code"]}, {"code.pretrain": expected.code["pretrain"]}, mend)
    groups = spelled(expected.groups, table["class"].unique())
    names, frozen = readouts(args.params), None
    if args.frozen:
        frozen, about = Frozen.read(args.frozen, names)
        made = {"networks": about["networks"]["sha256"], "code": about["code"], "params": about["params"]}
        wanted = {"networks": sha256(args.networks), "code": expected.code["evaluate"], "params": args.params}
        require(args.frozen, made, wanted, f"snakemake --cores 8 {args.frozen} --forcerun evaluate")
    inputs = Inputs(model, features, table, groups, frozen, names)
    DRAWN[args.figure](inputs, *args.output)


if __name__ == "__main__":
    cli.run(main)
