"""What the package shows, and what it loads: names are imported when they are asked for."""

import ast
import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import skcausalpima


def imported_for_types():
    """Return the modules of the names that type checkers see."""
    (block,) = (
        node
        for node in ast.parse(Path(skcausalpima.__file__).read_text()).body
        if isinstance(node, ast.If)
    )
    return {name.name: f"skcausalpima.{line.module}" for line in block.body for name in line.names}


def test_type_checkers_see_what_is_there():
    homes = imported_for_types()
    assert sorted(homes) == sorted(skcausalpima.__all__)
    for name, home in homes.items():
        assert getattr(skcausalpima, name) is getattr(importlib.import_module(home), name)


def test_dir_lists_names_and_public_modules():
    rooms = {path.stem for path in Path(skcausalpima.__file__).parent.glob("[!_]*")} - {"py"}
    assert {*skcausalpima.__all__, *rooms, "__version__"} <= set(dir(skcausalpima))
    for room in rooms:
        assert getattr(skcausalpima, room).__name__ == f"skcausalpima.{room}"


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError, match="module 'skcausalpima' has no attribute 'KMeans'"):
        skcausalpima.KMeans  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'KMeans'"):
        from skcausalpima import KMeans  # noqa: F401


def test_classes_keep_their_addresses():
    assert pickle.loads(pickle.dumps(skcausalpima.CausalPIMA)) is skcausalpima.CausalPIMA
    assert skcausalpima.CausalPIMA.__module__ == "skcausalpima._causal_pima"


@pytest.mark.parametrize("line", ["import skcausalpima", "from skcausalpima import datasets"])
def test_no_torch_is_loaded_where_none_is_needed(line):
    asked = f"import sys; {line}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
