"""The locks hold what ``pyproject.toml`` asks for, and pip can check every file of them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]


def direct(*groups: str) -> list[Requirement]:
    texts = list(PROJECT["project"]["dependencies"])
    for extra in PROJECT["project"]["optional-dependencies"].values():
        texts += [text for text in extra if not text.startswith("tenancy-fixtures")]
    for group in groups:
        texts += PROJECT["dependency-groups"][group]
    return [Requirement(text) for text in texts]


def locked(file: str) -> list[tuple[Requirement, int]]:
    """Each pinned requirement and the number of its hashes."""
    text = (ROOT / "requirements" / file).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(Requirement(re.split(r"\s+--hash", line)[0].strip()), line.count("--hash=sha256:")) for line in lines]


def on(python: str) -> dict[str, str]:
    return {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}


@pytest.mark.parametrize("file", ["newest.txt", "floor.txt", "benchmarks.txt"])
def test_every_package_is_pinned_and_hashed(file):
    for requirement, hashes in locked(file):
        assert str(requirement.specifier).startswith("=="), requirement
        assert hashes > 0, requirement


@pytest.mark.parametrize(("file", "groups", "pythons"), [("newest.txt", ("test", "lint"), PYTHONS), ("floor.txt", ("test",), ["3.9"])])
def test_every_direct_dependency_is_locked_once_for_each_python(file, groups, pythons):
    pins = [requirement for requirement, _ in locked(file)]
    for python in pythons:
        for wanted in direct(*groups):
            if wanted.marker and not wanted.marker.evaluate(on(python)):
                continue
            same = [pin for pin in pins if canonicalize_name(pin.name) == canonicalize_name(wanted.name)]
            (pin,) = [pin for pin in same if pin.marker is None or pin.marker.evaluate(on(python))]
            assert wanted.specifier.contains(str(pin.specifier)[2:], prereleases=True), (wanted, pin)


@pytest.mark.parametrize("python", PYTHONS)
def test_the_peers_of_the_benchmarks_are_locked_once_for_each_python(python):
    pins = [requirement for requirement, _ in locked("benchmarks.txt")]
    for wanted in map(Requirement, PROJECT["dependency-groups"]["bench"]):
        same = [pin for pin in pins if canonicalize_name(pin.name) == canonicalize_name(wanted.name)]
        (pin,) = [pin for pin in same if pin.marker is None or pin.marker.evaluate(on(python))]
        assert wanted.specifier.contains(str(pin.specifier)[2:], prereleases=True), (wanted, pin)


def test_the_floor_is_what_the_project_promises():
    pins = {
        canonicalize_name(pin.name): str(pin.specifier)[2:] for pin, _ in locked("floor.txt") if pin.marker is None or pin.marker.evaluate(on("3.9"))
    }
    for wanted in direct():
        if wanted.marker and not wanted.marker.evaluate(on("3.9")):
            continue
        (lowest,) = wanted.specifier
        assert lowest.operator == ">="
        assert pins[canonicalize_name(wanted.name)] in wanted.specifier
        assert (pins[canonicalize_name(wanted.name)] + ".0.0").startswith(lowest.version), wanted
