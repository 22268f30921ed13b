"""The guard: runs that don't belong together never share a table."""

from __future__ import annotations

import copy
from typing import Any

import pandas as pd
import pytest

from csvr.data.index import COLUMNS, digest
from csvr.errors import UserError
from csvr.reporting.results import Expectation, load


def at(target: tuple[str, int], edit: Any) -> Any:
    """Apply `edit` to one cell only."""
    return lambda variant, seed, cell: edit(cell) if (variant, seed) == target else None


def refused(make: Any, expect: Any, edit: Any, target: tuple[str, int] = ("no_context", 1)) -> str:
    with pytest.raises(UserError) as error:
        load(make(at(target, edit)), Expectation.of(expect))
    return str(error.value)


def test_complete_results_load(make, expect):
    results = load(make(), Expectation.of(expect))
    assert not results.missing()
    assert list(results.scores("full", "linear_few", "f_d")) == [0, 1, 2]
    assert {name: int(mask.sum()) for name, mask in results.masks().items()} == {
        "overall": 120, "motion": 40, "context": 40, "both": 40,
    }  # fmt: skip


def test_other_parameters_are_refused_with_key_values_and_command(make, expect):
    message = refused(make, expect, lambda cell: cell["params"]["model"]["backbone"].update(width=8))
    assert "no_context/sigma_p=1/seed1/metrics.json" in message
    assert "model.backbone.width = 8, expected 16" in message
    assert "--forcerun pretrain" in message


def test_other_evaluation_needs_no_new_pretraining(make, expect):
    message = refused(make, expect, lambda cell: cell["params"]["evaluate"]["probe"].update(few=4))
    assert "evaluate.probe.few = 4, expected 8" in message
    assert "--forcerun evaluate" in message


def test_other_data_is_refused(make, expect):
    message = refused(make, expect, lambda cell: cell["data"].update(index_sha256="other"))
    assert "data.index_sha256 = other, but abc123 in " in message and "--forcerun" in message


@pytest.mark.parametrize("step", ["pretrain", "evaluate"])
def test_other_code_is_refused(make, expect, step):
    message = refused(make, expect, lambda cell: cell["code"].update({step: "old"}))
    assert "no_context/sigma_p=1/seed1/metrics.json" in message
    assert f"code.{step} = 'old', expected '{step[0] * 64}'" in message
    assert message.endswith(f"--forcerun {step}")


def test_otherwise_extracted_features_are_refused(make, expect):
    message = refused(make, expect, lambda cell: cell["data"]["made"]["poses"]["params"].update(short_side=32))
    assert "poses.params.short_side = 32, expected 64" in message and message.endswith("--forcerun extract_poses")


def test_features_of_unknown_origin_are_refused(make, expect):
    message = refused(make, expect, lambda cell: cell["data"]["made"].pop("iframes") and None)
    assert "iframes = None, expected" in message


def test_index_of_today_is_the_one_that_results_were_made_on(make, expect, tmp_path):
    index = tmp_path / "index.csv"
    table = pd.DataFrame([dict.fromkeys(COLUMNS, "x") | {"problem": "", "run": "1"}])
    left_out = pd.DataFrame([dict.fromkeys(COLUMNS, "z") | {"problem": "missing", "run": "1"}])
    pd.concat([table, left_out]).to_csv(index, index=False)
    paths = make(lambda v, s, cell: cell["data"].update(index_sha256=digest(index)))
    assert load(paths, Expectation.of(expect), index).left_out == 1
    table.to_csv(index, index=False)
    assert load(paths, Expectation.of(expect), index).left_out == 0
    table.assign(sha256="y").to_csv(index, index=False)
    with pytest.raises(UserError, match=f"data.index_sha256 = .*but {digest(index)} is that of .*--forcerun pretrain"):
        load(paths, Expectation.of(expect), index)


def test_digest_is_of_parameters_not_of_code(expect):
    digest = Expectation.of(expect).digest
    assert Expectation.of(expect | {"code": {}}).digest == digest
    assert Expectation.of(expect | {"seeds": [0]}).digest != digest


def test_other_videos_are_refused(make, expect):
    message = refused(make, expect, lambda cell: cell["videos"].__setitem__(3, "v_x"))
    assert "videos has 'v_x' where" in message and "'v_3'" in message


def test_scores_of_wrong_length_are_refused(make, expect):
    assert "scores.finetune.all has 119 entries for 120" in refused(
        make, expect, lambda cell: cell["scores"]["finetune"]["all"].pop()
    )


def test_key_that_is_absent_is_named(make, expect):
    assert "'host'" in refused(make, expect, lambda cell: cell.pop("host") and None)


def test_unexpected_seed_and_twice_the_same_cell(make, expect):
    paths = make()
    with pytest.raises(UserError, match="already in"):
        load([*paths, paths[0]], Expectation.of(expect))
    with pytest.raises(UserError, match="'seed2' is not one"):
        load(paths, Expectation.of(expect | {"seeds": [0, 1]}))


def test_file_of_another_cell_is_refused(make, expect):
    message = refused(make, expect, lambda cell: cell.update(variant="full", seed=0))
    assert "seed = 0, expected 1; variant = 'full', expected 'no_context'" in message
    assert message.endswith("--forcerun pretrain")


def test_rows_that_are_one_cell_share_its_file(make, expect):
    """A variant that differs from full in name only, as no_context does where σ_c is 0 for all."""
    twin = {name: expect["variants"]["full"][name] for name in ("params", "cell")}
    expect["variants"]["no_context"] |= twin
    results = load(make(lambda v, s, _: v != "no_context"), Expectation.of(expect))
    assert not results.missing()
    assert results.cells["full", 1] is results.cells["no_context", 1]


def test_broken_json_is_named(make, expect):
    paths = make()
    paths[4].write_text('{"run_id": ')
    with pytest.raises(
        UserError, match=r"no_pose/sigma_p=0/seed1/metrics\.json: no readable JSON .*--forcerun evaluate"
    ):
        load(paths, Expectation.of(expect))
    paths[4].write_text("[1]")
    with pytest.raises(UserError, match=r"no_pose/sigma_p=0/seed1/metrics\.json: not what csvr\.evaluate writes"):
        load(paths, Expectation.of(expect))


def test_unknown_class_of_a_group_is_named(make, expect):
    with pytest.raises(UserError, match=r"groups\.motion: .* no class 'Nope'"):
        load(make(), Expectation.of(expect | {"groups": {"motion": ["Nope"]}}))


def test_missing_cells_are_kept_as_missing(make, expect):
    results = load(make(lambda v, s, _: (v, s) != ("no_pose", 2)), Expectation.of(expect))
    assert results.missing() == [("no_pose", 2)]


def test_expectation_needs_its_keys(expect):
    with pytest.raises(UserError, match="seeds"):
        Expectation.of({key: value for key, value in expect.items() if key != "seeds"})


def test_digest_is_of_parameters_and_not_of_code(expect):
    changed = copy.deepcopy(expect)
    changed["code"]["pretrain"] = changed["features"]["poses"]["code"] = "other"
    assert Expectation.of(changed).digest == Expectation.of(expect).digest
    changed["features"]["poses"]["params"] = {"other": 1}
    assert Expectation.of(changed).digest != Expectation.of(expect).digest
