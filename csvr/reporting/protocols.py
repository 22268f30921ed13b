"""How protocols and features are called in reports."""

from __future__ import annotations

from csvr.reporting.results import PROTOCOLS, Expectation, Results

READOUT_NAMES = {"f_i_untrained": "f_i, untrained integration (control)", "all": "all (concatenation)"}


def readout_name(readout: str) -> str:
    """What a table calls a feature."""
    return READOUT_NAMES.get(readout, readout)


def labels_text(per_class: int | None) -> str:
    """ "8 labels a class", or all."""
    return "all labels" if per_class is None else f"{per_class} label{'s' * (per_class != 1)} a class"


def protocol_names(results: Results) -> dict[str, str]:
    """Titles of the protocols of the ablation table that some variant is evaluated with."""
    few, per_class = results.expected.evaluation("probe", "few"), results.expected.evaluation("finetune", "per_class")
    names = {
        "linear_few": f"Linear probe, {labels_text(few)}",
        "linear_all": "Linear probe, all labels",
        "finetune": f"Fine-tuned, {labels_text(per_class)}",
        "retrieval": "Nearest-neighbour retrieval, R@1",
    }
    used = {protocol for variant in results.expected.variants.values() for protocol in variant.protocols()}
    return {protocol: names[protocol] for protocol in PROTOCOLS if protocol in used}


def percents(expected: Expectation, part: str) -> list[str]:
    """Shares of the labels that `part` ("probe" or "finetune") of some variant is measured with: "1pct", …"""
    for variant in expected.variants.values():
        found = variant.percents(part)
        if found:
            return found
    return []
