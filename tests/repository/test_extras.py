"""Extras: what works without them, and what brings them."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.slow
def test_the_package_works_without_extras():
    """``.ci/run`` does the same where none is installed."""
    done = subprocess.run(
        [sys.executable, HERE / "without_extras.py"], capture_output=True, text=True, check=False
    )
    assert "work without extras. Hidden were: matplotlib, pandas" in done.stdout, done.stderr


def test_texts_name_extras_that_are_there():
    """They name no library that an extra brings."""
    files = [ROOT / "README.rst", ROOT / "CONTRIBUTING.rst"]
    files += [*(ROOT / "skcausalpima").rglob("*.py"), *(ROOT / "doc").rglob("*.rst")]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    named = re.findall(r"pip install [^`\n]*\[([a-z,]+)\]", text)
    assert {extra for extras in named for extra in extras.split(",")} == set(EXTRAS)
    assert re.findall(r"pip install (?:matplotlib|pandas)", text) == []
