"""One file to mail: what it has, and that nothing in it is run, fetched or broken."""

import ast
import copy
import html
import os
import pickle
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from skcausalpima._base.version import __version__
from skcausalpima.inspection import LatentDisplay, PrototypeDisplay, TableDisplay, associate_nodes
from skcausalpima.inspection._mailed_report import ALONE, write_page

NODE = '"><script>alert(1)</script>'
IMAGE = 'שלום\u202e <img src=x onerror="alert(2)">\n5 $'
#: Elements that have no end.
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Elements with their attributes, texts, and whether each element ends."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, text):
        self.texts.append(text)

    def named(self, name):
        return [attributes for element, attributes in self.elements if element == name]


@pytest.fixture(scope="module")
def named_pair(pair):
    return {IMAGE: pair[0], "curve": pair[1]}


@pytest.fixture(scope="module")
def named(taught, named_pair):
    return taught(node_sizes={NODE: 2, "b": 2}).fit(named_pair)


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave out what takes longest."""
    monkeypatch.setattr("skcausalpima.inspection._mailed_report._pictures", lambda *_: iter(()))


@pytest.fixture(scope="module")
def written(named, named_pair, tmp_path_factory):
    """The text of a file with all that a file may have."""
    site = {"<b>site</b>": np.arange(72) % 2}
    results = [
        associate_nodes(named, named_pair, site, n_permutations=9, random_state=0),
        TableDisplay.from_estimator(named, "b"),
        TableDisplay([0.5, 0.5], "b"),
    ]
    plt.close(results[1].figure_)
    file = tmp_path_factory.mktemp("mail") / "fit.html"
    named.report(named_pair).save(file, results=results)
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(written):
    return Page(written)


def test_it_has_all_parts(page):
    titles = [
        *("What to do next", "Pictures", "Cells", "Figures", "Tables of the graph"),
        *(
            "Evidence of modalities",
            "Further results",
            "Modalities",
            "Settings",
            "To make it again",
        ),
        "Versions",
    ]
    assert [text for text in page.texts if text in titles] == titles
    for text in ("72 of 72", "random_state", __version__, "<b>site</b>", "Verdict: ", "p-values"):
        assert any(text in part for part in page.texts), text


def test_it_runs_nothing_fetches_nothing_and_names_stay_texts(page, written):
    assert not {"script", "link", "iframe", "object"} & {name for name, _ in page.elements}
    policy = next(a["content"] for a in page.named("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    addresses = [v for _, a in page.elements for k, v in a.items() if k in ("src", "href")]
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert not any(k.startswith("on") for _, attributes in page.elements for k in attributes)
    assert any(NODE in text for text in page.texts)
    assert "\u202e" not in written
    assert len(written) < 2e6


def test_pictures_have_alternatives_and_captions(page):
    pictures = page.named("img")
    assert not [text for text in page.texts if "cannot be drawn" in text]
    assert len(pictures) == 1 + 2 + 1 + 2, "latent, two modalities, training, two Displays"
    assert all(picture["alt"].strip() for picture in pictures)
    assert len(page.named("figure")) == len(page.named("figcaption")) == 1 + len(pictures)
    assert [a["role"] for a in page.named("svg")] == ["img"]
    assert len(page.named("title")) == 2, "that of the page, and that of the graph"


def test_the_code_makes_the_fit_again(written, named, named_pair, monkeypatch):
    code = html.unescape(re.search("<pre>(.*?)</pre>", written, re.S)[1])
    ast.parse(code)
    lines = [line for line in code.splitlines() if ".save(" not in line]
    assert sum(line.startswith("X = ...") for line in lines) == 1
    space = {}
    exec("\n".join(lines).replace("X = ...", "X = given"), space | {"given": named_pair}, space)
    np.testing.assert_array_equal(space["est"].labels_, named.labels_)


def test_what_is_not_known_is_said(fitted, pair, tmp_path, no_pictures):
    fitted.report(pair).save(tmp_path / "fit.html")
    text = (tmp_path / "fit.html").read_text(encoding="utf-8")
    assert "It is not known: the model has no encoders for single modalities" in text


def test_what_it_cannot_make_again_is_said(brief, pair, tmp_path, no_pictures):
    def own(parameters, x):
        return parameters["a"] * x

    model = brief(random_state=None).fit(pair)
    model.set_params(encoders=[own, None])
    model.report().save(tmp_path / "fit.html")
    text = (tmp_path / "fit.html").read_text(encoding="utf-8")
    assert "No random_state was set" in text
    assert "What is in &lt;&gt; is an object or a function of your own." in text


def test_without_samples_there_are_fewer_pictures_and_those_of_users_stay(named, tmp_path):
    figure, before = plt.figure(), dict(mpl.rcParams)
    named.report().save(str(tmp_path / "fit.html"))
    assert plt.get_fignums() == [figure.number]
    plt.close(figure)
    assert dict(mpl.rcParams) == before
    page = Page((tmp_path / "fit.html").read_text(encoding="utf-8"))
    assert not any("latent" in picture["alt"] for picture in page.named("img"))
    assert len(page.named("img")) == 3
    assert "Evidence of modalities" not in page.texts


def test_without_matplotlib_a_sentence_and_the_graph(named, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    named.report().save(tmp_path / "fit.html")
    page = Page((tmp_path / "fit.html").read_text(encoding="utf-8"))
    assert page.named("img") == []
    assert len(page.named("svg")) == 1
    assert any("needs matplotlib; install it" in text for text in page.texts)


def test_a_picture_that_cannot_be_drawn_is_said(named, named_pair, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise ValueError("too <large>")

    for kind in (LatentDisplay, PrototypeDisplay):
        monkeypatch.setattr(kind, "from_estimator", refuse)
    named.report(named_pair).save(tmp_path / "fit.html")
    page = Page((tmp_path / "fit.html").read_text(encoding="utf-8"))
    assert page.texts.count("It cannot be drawn: too <large>") == 3
    assert len(page.named("img")) == 1


def test_copies_hold_neither_the_estimator_nor_samples(fitted, pair, tmp_path, no_pictures):
    report = fitted.report(pair)
    for other in (pickle.loads(pickle.dumps(report)), copy.deepcopy(report)):
        assert str(other) == str(report)
        other.save(tmp_path / "fit.html")
        assert ALONE in (tmp_path / "fit.html").read_text(encoding="utf-8")


def test_the_report_is_of_the_fit_that_it_was_made_of(brief, pair, tmp_path, no_pictures):
    model = brief(node_sizes=2).fit(pair)
    report = model.report()
    model.set_params(node_sizes=3).fit(pair)
    report.save(tmp_path / "fit.html")
    texts = Page((tmp_path / "fit.html").read_text(encoding="utf-8")).texts
    assert texts[texts.index("node_sizes") + 1] == "2"
    (place,) = (k for k, text in enumerate(texts) if text == "Tables of the graph")
    assert texts[place + 1 :].index("Modalities") == 4 + 3 + 3, "a head, and two outcomes"


def test_a_file_is_replaced_and_one_result_needs_no_list(fitted, tmp_path, no_pictures):
    file = tmp_path / "fit.html"
    file.write_text("of before")
    fitted.report().save(file, results=fitted.separation_)
    assert "of before" not in file.read_text(encoding="utf-8")
    assert "SeparationReport" in file.read_text(encoding="utf-8")


def test_results_are_what_a_notebook_shows(fitted, tmp_path, no_pictures):
    with pytest.raises(TypeError, match=r"results\[1\] is 3: expected a result of"):
        fitted.report().save(tmp_path / "fit.html", results=[fitted.separation_, 3])
    assert not (tmp_path / "fit.html").exists()


def test_where_it_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    sentence = r"cannot be written \(.+\): name a file in a folder that exists and that you may"
    with pytest.raises(FileNotFoundError, match=f"none.+fit.html {sentence}"):
        write_page(tmp_path / "none" / "fit.html", "")
    with pytest.raises(OSError, match=sentence):
        write_page(tmp_path, "")
    with pytest.raises(TypeError, match="path is 3: expected the name of a file"):
        write_page(3, "")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")  # as in a folder to read alone

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(PermissionError, match=sentence):
        write_page(tmp_path / "fit.html", "")


def test_letters_that_no_file_has_are_written(tmp_path):
    write_page(os.fsencode(tmp_path / "fit.html"), "a\ud800b")
    assert (tmp_path / "fit.html").read_text(encoding="utf-8") == "a&#55296;b"
