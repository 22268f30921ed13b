"""What the table says about each claim of the method: supported, not supported or contrary, computed from intervals.

All numbers are percentage points of top-1 accuracy, "full minus variant": positive = the full method is better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from csvr.reporting.results import OVERALL, PROTOCOLS, Results
from csvr.reporting.statistics import Floats, Interval, mean_weights, paired, paired_intervals

FULL = "full"
SUPPORTED, NOT_SUPPORTED, CONTRARY, UNTESTABLE = "supported", "not supported", "contrary", "not testable"


@dataclass(frozen=True)
class Finding:
    """One claim under one protocol."""

    protocol: str
    verdict: str
    numbers: str


@dataclass(frozen=True)
class Claim:
    """A claim and what was found, one finding a protocol (the first is the one that counts)."""

    text: str
    findings: list[Finding]


def interval_text(interval: Interval) -> str:
    """A difference in percentage points: "+3.1 [+1.0, +5.2]"."""
    points = (round(100 * x, 1) + 0.0 for x in (interval.mean, interval.low, interval.high))  # + 0.0: no "-0.0"
    mean, low, high = (f"{x:+.1f}".replace("-", "−") for x in points)
    return f"{mean} [{low}, {high}]"


def verdict(interval: Interval) -> str:
    """Of the claim that a difference is positive."""
    if not interval.excludes_zero:
        return NOT_SUPPORTED
    return SUPPORTED if interval.low > 0 else CONTRARY


def claims(results: Results) -> list[Claim]:
    """Every claim, for every protocol that some variant is evaluated with."""
    protocols = [p for p in PROTOCOLS if any(p in v.protocols() for v in results.expected.variants.values())]
    linear = [p for p in protocols if p != "finetune"]

    def better(variant: str, group: str, protocol: str) -> Finding:
        return _better(results, variant, group, protocol)

    return [
        Claim(
            "Full beats random initialisation (overall).",
            [better("random_init", OVERALL, protocol) for protocol in protocols],
        ),
        Claim(
            "Removing the pose branch costs most on the motion group.",
            [_costs_most(results, "no_pose", "motion", protocol) for protocol in protocols],
        ),
        Claim(
            "Control: the pose loss brings this, not the pose input alone (motion group).",
            [better("pose_input_no_loss", "motion", protocol) for protocol in protocols],
        ),
        Claim(
            "Removing the context branch costs most on the context group.",
            [_costs_most(results, "no_context", "context", protocol) for protocol in protocols],
        ),
        Claim(
            "The generating branch helps (overall).",
            [better("no_generation", OVERALL, protocol) for protocol in protocols],
        ),
        Claim(
            "Control: f_i of the trained integration is better than f_i of an untrained one on the same encoders.",
            [_integration(results, protocol) for protocol in linear],
        ),
    ]


def _columns(results: Results) -> tuple[list[str], Floats]:
    """Names of the non-empty columns (overall and groups) and their weights, shape (V, columns)."""
    masks = {name: mask for name, mask in results.masks().items() if mask.any()}
    return list(masks), np.stack([mean_weights(mask) for mask in masks.values()], axis=1)


def _difference(results: Results, variant: str, protocol: str) -> Floats | None:
    """Full minus `variant` on shared seeds, (S, V)."""
    return paired(results.scores(FULL, protocol), results.scores(variant, protocol))


def _better(results: Results, variant: str, group: str, protocol: str) -> Finding:
    """Whether full is better than `variant` on a group."""
    difference, (names, weights) = _difference(results, variant, protocol), _columns(results)
    if group not in names:
        return Finding(protocol, UNTESTABLE, f"the data set has no {group} group")
    if difference is None:
        return Finding(protocol, UNTESTABLE, f"no runs of full and {variant} with the same seed")
    interval = paired_intervals(difference, results.labels, weights)[names.index(group)]
    return Finding(protocol, verdict(interval), f"full − {variant}, {group}: {interval_text(interval)}")


def _costs_most(results: Results, variant: str, group: str, protocol: str) -> Finding:
    """Whether full − `variant` lies above 0 on `group`, and above that on every other group, both by interval."""
    difference, (names, weights) = _difference(results, variant, protocol), _columns(results)
    others = [name for name in names if name not in (OVERALL, group)]
    if group not in names or not others:
        return Finding(protocol, UNTESTABLE, f"the data set has no {group} group to compare")
    if difference is None:
        return Finding(protocol, UNTESTABLE, f"no runs of full and {variant} with the same seed")
    found = dict(zip(names, paired_intervals(difference, results.labels, weights), strict=True))
    result = verdict(found[group])
    contrasts = weights[:, [names.index(group)]] - weights[:, [names.index(name) for name in others]]
    margins = dict(zip(others, paired_intervals(difference, results.labels, contrasts), strict=True))
    if result == SUPPORTED and any(margin.low <= 0 for margin in margins.values()):
        result = NOT_SUPPORTED
    rival = min(others, key=lambda name: margins[name].mean)
    numbers = "; ".join(f"{name} {interval_text(found[name])}" for name in (group, *others))
    return Finding(
        protocol, result, f"full − {variant}: {numbers}; margin of {group} over {rival} {interval_text(margins[rival])}"
    )


def _integration(results: Results, protocol: str) -> Finding:
    """Whether full's f_i is better than its control."""
    trained, control = (results.scores(FULL, protocol, readout) for readout in ("f_i", "f_i_untrained"))
    difference = paired(trained, control)
    if difference is None:
        return Finding(protocol, UNTESTABLE, "no runs of full with both read-outs")
    names, weights = _columns(results)
    found = paired_intervals(difference, results.labels, weights)
    numbers = "; ".join(f"{name} {interval_text(x)}" for name, x in zip(names, found, strict=True))
    return Finding(protocol, verdict(found[0]), f"f_i − f_i untrained, full: {numbers}")
