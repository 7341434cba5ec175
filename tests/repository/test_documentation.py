"""What the README and the user guide show can be run as it stands."""

import ast
import doctest
import re
from pathlib import Path

import pytest

from skcausalpima import CausalPIMA

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["user_guide", "identification"])
def test_the_guides(page):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    path = ROOT / "doc" / f"{page}.rst"
    result = doctest.testfile(str(path), module_relative=False, optionflags=flags)
    assert result.attempted > 10
    assert result.failed == 0


def indented_block(text, directive):
    block = re.search(rf"{re.escape(directive)}\n\n((?:    .*\n|\n)+)", text).group(1)
    return re.sub(r"(?m)^    ", "", block)


@pytest.mark.slow
def test_the_readmes_example():
    code = indented_block((ROOT / "README.rst").read_text(), ".. code-block:: python")
    assert "est.fit" in code
    exec(compile(code, "README.rst", "exec"), {})


def test_the_readme_has_two_commands_and_the_example_exists():
    commands = re.findall(r"(?m)^    (pip install .*)$", (ROOT / "README.rst").read_text())
    assert len(commands) == 2
    scripts = [word for word in " ".join(commands).split() if word.endswith(".py")]
    assert scripts == ["examples/plot_digits.py"]
    assert (ROOT / scripts[0]).is_file()


def published_algorithms(code):
    """Return the keywords of every estimator that code makes with ``init="paper"``."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    made = [call.keywords for call in calls if getattr(call.func, "id", "") == "CausalPIMA"]
    parts = [{k.arg: ast.unparse(k.value) for k in keywords} for keywords in made]
    return [keywords for keywords in parts if keywords.get("init") == "'paper'"]


def test_the_published_algorithm_is_the_same_everywhere():
    guide = (ROOT / "doc" / "user_guide.rst").read_text()
    [stated] = published_algorithms(doctest.script_from_examples(guide))
    del stated["node_sizes"]
    notes = re.search(r"``(CausalPIMA\(.*?\))``", CausalPIMA.__doc__.split("Notes\n")[1], re.S)
    places = [" ".join(notes.group(1).split())]
    places += [(ROOT / "examples" / f"plot_{n}.py").read_text() for n in ("circles", "lattices")]
    for place in places:
        [found] = published_algorithms(place)
        assert found | stated == found
    benchmark = (ROOT / "benchmarks" / "nodes.py").read_text()
    listed = re.search(r"PAPER = \{\n(.*?)\n\}", benchmark, re.S).group(1)
    given = ast.literal_eval("{" + listed.replace("**PLANE", "'latent_dim': 2") + "}")
    assert {key: repr(value) for key, value in given.items()} == stated
