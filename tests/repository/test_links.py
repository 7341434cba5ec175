"""The check of links finds those that are dead."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "doc" / "check_links.py"


@pytest.fixture(scope="module")
def dead_links():
    spec = importlib.util.spec_from_file_location("check_links", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dead_links


def test_pages_files_and_anchors_are_looked_for(tmp_path, dead_links):
    links = ["b.html", "b.html#there", "#here", "https://x.org/y", "c.html", "b.html#gone", "#no"]
    text = "".join(f'<a href="{link}">' for link in links)
    (tmp_path / "a.html").write_text(f'<p id="here">{text}<img src="gone.png">')
    (tmp_path / "b.html").write_text('<p id="there">')
    found = dead_links(tmp_path)
    assert [link for _, link in found] == ["c.html", "b.html#gone", "#no", "gone.png"]


def test_no_pages_are_an_error(tmp_path, dead_links):
    with pytest.raises(SystemExit, match="build them first"):
        dead_links(tmp_path)
