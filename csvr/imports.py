"""Imports without what libraries import in passing, which takes longer than they do."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def put_off(name: str, **attributes: Any) -> Iterator[None]:
    """Inside the `with` block, `import name` gives a module of the attributes alone; after it, the real one again.

    Where the real one is there already, nothing changes.

    Args:
        name: Module that is imported inside for no more than the attributes.
        attributes: What is taken from it there.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = stand_in = ModuleType(name)
    vars(stand_in).update(attributes)
    try:
        yield
    finally:
        del sys.modules[name]


def torchvision() -> None:
    """Import torchvision without torch's compiler, a second of it.

    It takes one function of the compiler, by which pooling of regions asks whether a device can compile; that function
    is looked up when it is called.
    """
    compiler = "torch._dynamo.utils"

    def is_compile_supported(device: str) -> Any:
        return importlib.import_module(compiler).is_compile_supported(device)

    if "torchvision" not in sys.modules:
        with put_off(compiler, is_compile_supported=is_compile_supported):
            importlib.import_module("torchvision")
