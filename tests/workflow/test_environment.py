"""One set of pins serves make, conda and the workflow's rules."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.workflow.repository import ROOT


def requirements(path: Path) -> list[Requirement]:
    """The requirements of a pip file, without comments and hashes."""
    lines = (re.sub(r"(^|\s)#.*|\s*\\$|--hash=\S+", "", line).strip() for line in path.read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def test_make_and_conda_install_the_same_files() -> None:
    make = (ROOT / "Makefile").read_text()
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in conda if isinstance(entry, dict)]
    post = (ROOT / "environment.post-deploy.sh").read_text()
    found = re.findall(r"-r (requirements\S*\.txt)", make)
    assert found == ["requirements.txt", "requirements-openpifpaf.txt"]
    assert pip == [f"-r {found[0]}"]
    assert re.findall(r"-r (\S+)", post) == [found[1]]
    flags = r"--no-deps --no-build-isolation --no-cache-dir --require-hashes"
    assert flags in make and flags in post
    assert "python=3.11" in conda and "python3.11" in make


def test_every_pin_is_exact_and_hashed() -> None:
    for name in ("requirements.txt", "requirements-openpifpaf.txt"):
        text = (ROOT / name).read_text()
        pins = requirements(ROOT / name)
        assert pins
        assert all([spec.operator for spec in pin.specifier] == ["=="] for pin in pins)
        assert len(re.findall(r"==[^\n]*\\\n\s+--hash=sha256:", text)) == len(pins)


def test_pins_satisfy_what_is_wanted() -> None:
    pins = {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in requirements(ROOT / "requirements.txt")
    }
    for wanted in requirements(ROOT / "requirements.in"):
        name = canonicalize_name(wanted.name)
        assert name in pins, f"{name} is in requirements.in but not pinned; run `make lock`"
        assert wanted.specifier.contains(pins[name]), f"{name} {pins[name]} is not {wanted.specifier}"
