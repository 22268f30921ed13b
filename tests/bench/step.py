"""Goal 4: the training step beside the bare passes of its networks; where its time goes."""

from __future__ import annotations

import torch

from tests.bench import gpu, training
from tests.bench.figures import CSVR, Bench, Figures, Goal

VARIANTS = ("full", "no_pose", "no_context", "no_generation")
STEP, SECTION, NETWORK = "step", "section of a step, full", "bare networks, full"
BARE = "floor: bare passes of its networks, one after the other"
AGAIN = "the same, each taken twice in a row, the second one counted"
PENALTY = "the penalty's part of it"


def measure(bench: Bench) -> None:
    """All variants on the CPU; precision, layout and compilation on a GPU where there is one."""
    profile = training.embedded(bench, "cpu")
    runs, count = (1, 2) if bench.quick else (11, 8)  # one cycle of the penalty, and as many steps before
    kept_already = {figure.case for figure in bench.figures(bench.goal).all if figure.name == CSVR}
    variants = [name for name in VARIANTS[: 1 if bench.quick else None] if f"{STEP}, {name}" not in kept_already]
    whole = {name: list[dict[str, float]]() for name in variants}
    alone = {name: list[tuple[dict[str, float], float]]() for name in variants}
    for _ in range(runs):  # by turns: a machine is not as fast all the time
        for variant in variants:
            whole[variant].append(training.steps(profile, count, variant, count))
            alone[variant].append(training.bare(profile, variant))
    for variant in variants:
        steps, bare = whole[variant], [found for found, _ in alone[variant]]
        taken = {CSVR: [found["step"] for found in steps], training.CPU: [found[training.CPU] for found in steps]}
        taken[BARE] = [sum(found.values()) for found in bare]
        taken[AGAIN] = [again for _, again in alone[variant]]
        if "penalty" in bare[0]:
            taken[PENALTY] = [found["penalty"] for found in bare]
        bench.keep(f"{STEP}, {variant}", taken)
        if variant == "full":
            bench.keep(SECTION, {name: [found[name] for found in steps] for name in training.SECTIONS})
            bench.keep(NETWORK, {name: [found[name] for found in bare] for name in bare[0]})
    if torch.cuda.is_available():
        gpu.measure(bench)


def goals(figures: Figures) -> list[Goal]:
    """What issue 7 asks of the training step."""
    full = f"{STEP}, full"
    again = figures.ratio(full, CSVR, AGAIN)
    found = [
        Goal(
            "full step ≤ 1.10 × the bare passes of its networks, the video discriminators' penalty among them",
            figures.ratio(full, CSVR, BARE), 1.10, False,
            note="passes one after the other, as a step takes them"
            + (f"; {again:.2f} × where each has just been taken and the caches still have it" if again else "")
            + "; a second core is free for the thread that makes the next views",
        )
    ]  # fmt: skip
    for variant in VARIANTS[1:]:
        case = f"{STEP}, {variant}"
        saved = [a - b if a and b else None for a, b in (
            (figures.median(full), figures.median(case)), (figures.median(full, BARE), figures.median(case, BARE))
        )]  # fmt: skip
        share = saved[0] / saved[1] if saved[0] is not None and saved[1] else None
        found.append(
            Goal(
                f"{variant}: as much less than full as its networks cost",
                share,
                0.9,
                note="time saved by time of the networks left out",
            )
        )
    return found + gpu.goals(figures)
