"""The table of files to mutate names tests that are there, and are about the file."""

import ast
import functools
import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def mutants():
    """The benchmark, as a module."""
    folder = ROOT / "benchmarks"
    if not folder.exists():
        pytest.skip("not a checkout")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        spec = importlib.util.spec_from_file_location("mutants", folder / "mutants.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
        sys.modules.pop("mutant_operators", None)


@functools.cache
def run_by_default(path):
    """Return the tests of a file that no mark of their own leaves out as a whole."""
    functions = (n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef))
    return {
        function.name
        for function in functions
        if not {"pytest.mark.slow", "pytest.mark.long"}
        & {*map(ast.unparse, function.decorator_list)}
    }


def test_files_and_tests_are_there(mutants):
    for file, tests in mutants.TABLE.items():
        assert (ROOT / "skcausalpima" / file).exists(), file
        for path, *names in (test.split("::") for test in tests):
            assert {*names} <= run_by_default(ROOT / path), f"{file}: {path}::{names}"


def test_a_test_of_each_file_imports_it_or_its_face(mutants):
    """Tests that have moved elsewhere would leave others behind, which no mutant fails."""
    for file, tests in mutants.TABLE.items():
        *rooms, name = Path(file).with_suffix("").parts
        room = r"\.".join(["skcausalpima", *rooms])
        ways = [rf"{room}\.{name}\b", rf"from {room} import [^\n]*\b{name}\b"]
        if not rooms[0].startswith("_"):
            ways += [rf"from {room} import"]
        texts = [(ROOT / test.split("::")[0]).read_text() for test in tests]
        assert any(re.search(way, text) for way in ways for text in texts), file
