"""Public names are documented in numpydoc's form, with an example, and listed in the docs."""

import importlib
import inspect
import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from skcausalpima import CausalPIMA, ModalityTransformer, functional
from skcausalpima._state.plain import REPORTS
from skcausalpima.inspection import ContextReport
from skcausalpima.modules._decoder_protocol import Decoder

validate = pytest.importorskip("numpydoc.validate", reason="the extra doc brings numpydoc").validate

ROOT = Path(__file__).parents[2]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["numpydoc_validation"]
MODULES = [
    "skcausalpima",
    "skcausalpima.callback",
    "skcausalpima.cluster",
    "skcausalpima.datasets",
    "skcausalpima.exceptions",
    "skcausalpima.functional",
    "skcausalpima.graph",
    "skcausalpima.inspection",
    "skcausalpima.metrics",
    "skcausalpima.model_selection",
    "skcausalpima.modules",
]
OBJECTS = {
    f"{module}.{name}": getattr(importlib.import_module(module), name)
    for module in MODULES
    for name in importlib.import_module(module).__all__
}
# What decoders ask of each other is in no page: the reference leaves the members of Decoder out.
PRIVATE = {Decoder}


def owners(item):
    """Return the classes of this package that a public class has its methods from."""
    return [
        c for c in item.__mro__ if c.__module__.split(".")[0] == "skcausalpima" and c not in PRIVATE
    ]


def is_documented(member):
    """Tell whether it has a docstring of its own: no field of a record, and not made elsewhere."""
    kinds = (classmethod, property, type(ModalityTransformer.__dict__["inverse_transform"]))
    return inspect.isfunction(member) or isinstance(member, kinds)


METHODS = {
    f"{path}.{name}": getattr(item, name)
    for path, item in OBJECTS.items()
    if inspect.isclass(item)
    for owner in owners(item)
    for name, member in vars(owner).items()
    if not name.startswith("_") and is_documented(member)
}


DOCUMENTED = OBJECTS | METHODS


def test_docstrings_pass_numpydocs_checks():
    found = {path: validate(path)["errors"] for path in DOCUMENTED}
    left = {
        path: [error for error in errors if error[0] not in CONFIG["checks"]]
        for path, errors in found.items()
    }
    assert {path: errors for path, errors in left.items() if errors} == {}


@pytest.mark.parametrize("kind", [*REPORTS, ContextReport], ids=lambda kind: kind.__name__)
def test_every_field_of_a_report_is_documented(kind):
    from numpydoc.docscrape import NumpyDocString

    documented = {entry.name: entry for entry in NumpyDocString(kind.__doc__)["Parameters"]}
    assert list(documented) == [of.name for of in fields(kind)]
    for of in fields(kind):
        entry = documented[of.name]
        assert entry.type
        assert "".join(entry.desc).strip()
        has_default = (of.default, of.default_factory) != (MISSING, MISSING)
        assert has_default == ("default=" in entry.type), of.name
        if "np.ndarray" in of.type and "dict" not in of.type:
            assert "shape" in entry.type, of.name


def test_every_public_name_shows_an_example():
    example = re.compile(r"\n\s*Examples\n\s*-{8}\n\s*>>> ")
    assert [path for path, item in DOCUMENTED.items() if not example.search(item.__doc__)] == []


def test_the_paper_in_code_says_where_it_is_in_the_paper():
    """Functions do; what they take and return need not."""
    place = re.compile(r"Eq\. \d|Algorithm \d|Section \d|Corollary [A-Z]")
    items = [getattr(functional, name) for name in functional.__all__]
    functions = [item for item in items if not inspect.isclass(item)]
    assert [item.__name__ for item in functions if not place.search(item.__doc__)] == []


def test_the_reference_lists_every_public_name():
    listed, module = set(), None
    for line in (ROOT / "doc" / "api.rst").read_text().splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif re.fullmatch(r"   [A-Za-z_]\w*", line):
            listed.add(f"{module}.{line.strip()}")
    assert listed == set(OBJECTS)


def test_every_parameter_of_the_estimator_has_a_subject():
    by_subject = CausalPIMA.__doc__.split("by subject:")[1].split("may be objects")[0]
    assert set(CausalPIMA().get_params(deep=False)) <= set(re.findall("``(.+?)``", by_subject))
