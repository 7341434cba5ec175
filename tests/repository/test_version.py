"""The version stands in one place."""

import tomllib
from pathlib import Path

import skcausalpima
from skcausalpima._base.version import __version__

ROOT = Path(__file__).parents[2]


def test_the_version_is_read_from_one_file():
    assert skcausalpima.__version__ is __version__
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert metadata["project"]["dynamic"] == ["version"]
    attribute = metadata["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    assert attribute == "skcausalpima._base.version.__version__"
