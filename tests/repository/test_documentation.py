"""What the README and the user guide show can be run as it stands."""

import doctest
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "page", [pytest.param("user_guide", marks=pytest.mark.slow), "identification"]
)
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


def test_what_is_told_of_a_fit_goes_to_tensorboard_and_mlflow(monkeypatch, quick, pair):
    """The recipe of the guide, with stand-ins for the two."""
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9")
    sent, logged = [], []

    class SummaryWriter:
        def __init__(self, folder):
            self.close = lambda: sent.append(folder)

        def add_scalar(self, *arguments):
            sent.append(arguments)

    def log_metric(name, value, step):
        logged.append((name, value, step))

    modules = {"torch.utils.tensorboard": {"SummaryWriter": SummaryWriter}}
    modules |= {"mlflow": {"log_metric": log_metric}}
    for name, content in modules.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**content))
    text = (ROOT / "doc" / "user_guide.rst").read_text()
    (code,) = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", text)
    code, model = re.sub(r"(?m)^    ", "", code), quick()
    exec(compile(code, "user_guide.rst", "exec"), {"model": model, "X": pair})
    assert sent.pop() == "runs/first"
    assert sent == logged
    bounds = [value for name, value, step in sent if name == "training/lower_bound"]
    assert bounds == model.history_["lower_bound"].tolist()


def test_the_readme_has_two_commands_and_the_example_exists():
    commands = re.findall(r"(?m)^    (pip install .*)$", (ROOT / "README.rst").read_text())
    assert len(commands) == 2
    scripts = [word for word in " ".join(commands).split() if word.endswith(".py")]
    assert scripts == ["examples/plot_digits.py"]
    assert (ROOT / scripts[0]).is_file()


def test_nobody_spells_the_published_algorithm_out():
    """It is written down once, in ``CausalPIMA.published``."""
    for place in (
        "doc/user_guide.rst",
        *(f"examples/paper/plot_{n}.py" for n in ("circles", "lattices")),
    ):
        assert "CausalPIMA.published(" in (ROOT / place).read_text()
    files = [*(ROOT / "examples").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    texts = {path.name: path.read_text() for path in files}
    words = ("covariance_shrinkage", "prior_expert", "modality_weights", "responsibilities")
    assert [name for name, text in texts.items() if all(word in text for word in words)] == []
