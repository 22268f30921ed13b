"""What is not imported, and that all is there once it is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from csvr.imports import put_off

ROOT = Path(__file__).parents[1]


def python(code: str) -> None:
    """Run it in a process of its own, where nothing is imported."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", f"import sys\n{code}"], cwd=ROOT, check=True)


def test_a_module_is_put_off_inside_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with put_off("wave", open=len):
        import wave as inside
    import wave

    assert inside.open is len
    assert wave is not inside and wave.Wave_read


def test_an_imported_module_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    there = ModuleType("wave")
    monkeypatch.setitem(sys.modules, "wave", there)
    with put_off("wave"):
        assert sys.modules["wave"] is there
    assert sys.modules["wave"] is there


def test_what_fails_inside_puts_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with pytest.raises(ImportError), put_off("wave"):
        raise ImportError
    assert "wave" not in sys.modules


@pytest.mark.parametrize(
    "module", ["csvr.context.backbone", "csvr.pose.detector", "csvr.evaluation.measure", "csvr.pretrain.loop"]
)
def test_networks_are_there_without_the_compiler(module: str) -> None:
    last = "; csvr.pose.detector.library()" if module.startswith("csvr.pose") else ""
    python(f"import {module}{last}; assert 'torchvision' in sys.modules; assert 'torch._dynamo' not in sys.modules")


def test_pooling_of_regions_asks_the_compiler_that_was_put_off() -> None:
    python(
        "import csvr.context, torch, torchvision\n"
        "boxes = torch.tensor([[0.0, 0.0, 0.0, 4.0, 4.0]])\n"
        "pooled = torchvision.ops.roi_align(torch.ones(1, 1, 8, 8), boxes, 2)\n"
        "assert torch.equal(pooled, torch.ones(1, 1, 2, 2))\n"
        "assert sys.modules['torchvision.ops.roi_align'].is_compile_supported('cpu') in (True, False)\n"
        "import torch._dynamo.utils\n"
        "assert torch._dynamo.utils.is_compile_supported.__module__ == 'torch._dynamo.utils'\n"
    )


def test_pretraining_asks_torchmetrics_for_its_version_alone() -> None:
    python(
        "import csvr.pretrain.processes\n"
        "from lightning_fabric.utilities.imports import _TORCHMETRICS_GREATER_EQUAL_1_0_0\n"
        "assert _TORCHMETRICS_GREATER_EQUAL_1_0_0 and 'torchmetrics' not in sys.modules\n"
        "import torchmetrics.functional\n"
    )


def test_a_step_of_training_does_without_the_compiler() -> None:
    python(
        "import torch\nfrom csvr.adam import Adam\n"
        "net = torch.nn.Linear(2, 2)\noptimiser = Adam(net.parameters(), 0.1)\n"
        "net(torch.ones(1, 2)).sum().backward()\noptimiser.clip(1.0)\noptimiser.step()\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
