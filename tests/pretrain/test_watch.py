"""What is said of a training that goes wrong, when, and that a right one is left alone."""

import logging
from typing import Any

import pytest

from csvr.pretrain.watch import CHANCE, Watch

from .small import params

RIGHT = {
    "loss": 4.0, "context_spread": 8**-0.5, "pose_discriminator": CHANCE["nonsaturating"], "video_discriminator": 2.7,
}  # fmt: skip
WRONG = {
    "exploding loss": {"loss": 41.0},
    "collapsed context features": {"context_spread": 0.09 * 8**-0.5},
    "pose discriminator has won": {"pose_discriminator": 0.06},
    "video discriminator has won": {"video_discriminator": 0.13},
}


def watched(rows: list[dict[str, float]], **changes: Any) -> Watch:
    watch = Watch(params(**changes))
    for step, row in enumerate(rows, start=1):
        watch.see(step, RIGHT | row)
    return watch


def test_a_right_training_is_left_alone() -> None:
    just = {"loss": 39.0, "context_spread": 0.11 * 8**-0.5, "pose_discriminator": 0.08, "video_discriminator": 0.15}
    assert watched([{}] * 9 + [just] * 4).warnings == {}
    # A branch that is not built has no terms.
    watch = Watch(params())
    for step in range(9):
        watch.see(step, {"loss": 1.0})
    assert watch.warnings == {}


@pytest.mark.parametrize("kind", WRONG)
def test_what_goes_wrong_is_told_once(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    # Two in a row are an accident; so is all of the warm-up, which is 2 steps here.
    assert watched([WRONG[kind]] * 4 + [{}] + [WRONG[kind]] * 2).warnings == {}
    watch = watched([{}] * 9 + [WRONG[kind]] * 8)
    assert list(watch.warnings) == [kind]
    assert watch.warnings[kind].startswith(f"{kind} at step 12: ")
    assert [record.getMessage() for record in caplog.records] == [watch.warnings[kind]]


def test_what_an_earlier_process_saw_is_known_and_not_told_again(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(params())
    for step in range(3, 8):
        watch.see(step, RIGHT | {"video_discriminator": 0.1}, tell=step > 5)
    assert list(watch.warnings) == ["video discriminator has won"] and not caplog.records


def test_a_critic_without_a_level_can_not_win() -> None:
    model = params()["model"]
    model |= {"pose": model["pose"] | {"gan": "wgan_gp"}}
    watch = watched([{"pose_discriminator": -9.0}] * 9, model=model)
    assert watch.warnings == {}


def test_limits_are_parameters() -> None:
    pretrain = params()["pretrain"] | {"watch": {"explode": 1.5, "collapse": 0.95, "won": 0.9}}
    rows = [{}] * 9 + [{"loss": 7.0, "context_spread": 0.9 * 8**-0.5, "pose_discriminator": 1.2}] * 3
    assert len(watched(rows, pretrain=pretrain).warnings) == 3
