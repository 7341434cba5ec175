"""The version stands in one place, and what tells strangers of it agrees."""

import re
import sys
import tomllib
from pathlib import Path

import skcausalpima
from skcausalpima._base.version import __version__

ROOT = Path(__file__).parents[2]
METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_version_is_read_from_one_file():
    assert skcausalpima.__version__ is __version__
    assert METADATA["project"]["dynamic"] == ["version", "readme"]
    attribute = METADATA["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    assert attribute == "skcausalpima._base.version.__version__"


def test_strangers_read_the_same_version():
    release = __version__.partition(".dev")[0]
    assert f"Version {release}\n---" in (ROOT / "doc" / "whats_new.rst").read_text()
    if release == __version__:
        assert f"\nversion: {release}\n" in (ROOT / "CITATION.cff").read_text()


def test_pythons_are_those_that_are_tested():
    """The lowest is that of the metadata and of tools; CI runs the tests on each."""
    project, least = METADATA["project"], METADATA["project"]["requires-python"]
    stated = [text.rpartition(" ")[2] for text in project["classifiers"] if " :: 3." in text]
    assert least == f">={stated[0]}"
    assert METADATA["tool"]["mypy"]["python_version"] == stated[0]
    tested = re.findall(r'"(3\.\d+)"', (ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert set(stated) == set(tested)
    assert ".".join(map(str, sys.version_info[:2])) in stated
