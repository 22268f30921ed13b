"""Variants of the method: what an ablation may set, and the parameters that come of it.

Standard library only: the workflow and its check of the parameters ask for it whenever they start.
"""

from __future__ import annotations

import copy
from typing import Any

# What an ablation may set: the rest is common to all variants.
WEIGHTS = ("sigma_v", "sigma_p", "sigma_c")
PRETRAIN = ("clip", "augment", "model", "pretrain", *WEIGHTS, "pose_input")
VARIED = (*PRETRAIN, "evaluate")


def applied(params: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The parameters in `VARIED`, copied and changed as an ablation's `set` says (dotted names and values).

    Raises:
        KeyError: There is no such parameter.
    """
    result = {key: copy.deepcopy(params[key]) for key in VARIED}
    for name, value in changes.items():
        *parents, last = name.split(".")
        found: Any = result
        for parent in parents:
            found = found[parent] if isinstance(found, dict) else {}
        if not isinstance(found, dict) or last not in found:
            raise KeyError(name)
        found[last] = copy.deepcopy(value)
    # 1 and 1.0 are one value, and must not be two in paths and records. What is no number is for the check to name.
    return result | {name: float(result[name]) for name in WEIGHTS if isinstance(result[name], int)}
