"""What strangers meet first: an index page, and what the owner has still to write."""

import importlib.util
import re
import shutil
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.rst").read_text(encoding="utf-8")
URLS = {
    "Documentation": "https://pages.example/stable/",
    "Source": "https://code.example/us/it",
    "Issues": "https://code.example/us/it/issues",
}


@pytest.fixture(scope="module")
def build():
    """The file that the build runs, as a module."""
    spec = importlib.util.spec_from_file_location("build_of_this", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rendered(text):
    """Return the HTML that an index shows; a warning is an error, as it is for ``twine check``."""
    docutils = pytest.importorskip("docutils.core", reason="the extra doc brings docutils")
    from docutils.writers.html5_polyglot import Writer

    safe = {"halt_level": 2, "raw_enabled": False, "file_insertion_enabled": False}
    settings = safe | {"syntax_highlight": "none"}
    return docutils.publish_parts(text, writer=Writer(), settings_overrides=settings)["body"]


def test_with_addresses_all_links_of_an_index_page_have_one(build):
    text = build.long_description(README, URLS, "1.2.3")
    links = re.findall(r"`_|\.\. image::", text)
    found = re.findall(r'(?:href|src)="([^"]+)"', rendered(text))
    assert len(found) == len(links) > 9
    assert [link for link in found if not link.startswith("https://")] == []
    assert "https://pages.example/stable/guide/answers.html" in found
    assert "https://code.example/us/it/blob/v1.2.3/SECURITY.md" in found
    assert "https://code.example/us/it/raw/v1.2.3/doc/first_fit.png" in found


@pytest.mark.parametrize("urls", [{}, {"Source": "https://code.example"}, URLS | {"Source": ""}])
def test_without_addresses_it_is_the_readme(build, urls):
    assert build.long_description(README, urls, "1.2.3") == README
    assert "Where to go from here" in rendered(README)


def test_what_has_an_address_keeps_it(build):
    text = "`a <https://x.org/a.rst>`_, `b <mailto:b@x.org>`_, ``c <d.rst>``"
    assert build.long_description(text, URLS, "1.2.3") == text


@pytest.fixture
def filled_in(tmp_path):
    """A folder of the files that the owner writes to, with all that is asked for."""
    for name in ("CITATION.cff", "SECURITY.md", ".github/ISSUE_TEMPLATE/config.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    urls = "".join(f'\n{name} = "{url}"' for name, url in URLS.items())
    authors = 'authors = [{name = "A"}]'
    text = f'[project]\nname = "it"\n{authors}\n[project.urls]{urls}\n'
    (tmp_path / "pyproject.toml").write_text(text)
    for name, line in {
        "CITATION.cff": f"repository-code: {URLS['Source']}",
        "SECURITY.md": f"{URLS['Source']}/security/advisories/new",
        ".github/ISSUE_TEMPLATE/config.yml": "contact_links:",
    }.items():
        with (tmp_path / name).open("a") as file:
            file.write(f"\n{line}\n")
    return tmp_path


def test_nothing_is_missing_once_the_owner_has_written_it(build, filled_in):
    assert build.missing(filled_in) == []


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("pyproject.toml", "authors", "pyproject.toml: authors"),
        ("pyproject.toml", "Source", "pyproject.toml: [project.urls] Source"),
        ("CITATION.cff", "repository-code", "CITATION.cff: repository-code"),
        ("SECURITY.md", "https", "SECURITY.md: the address of private reports"),
        (
            ".github/ISSUE_TEMPLATE/config.yml",
            "contact_links",
            ".github/ISSUE_TEMPLATE/config.yml: contact_links",
        ),
    ],
)
def test_the_build_says_what_is_missing_and_where(build, filled_in, name, line, said):
    lines = (filled_in / name).read_text().splitlines()
    kept = [text for text in lines if not text.startswith(line)]
    (filled_in / name).write_text("\n".join(kept))
    assert build.missing(filled_in) == [said]


def test_an_address_that_is_not_there_is_said_to_be_missing(build):
    """Once it is, the sentence that says so goes."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    is_missing = any(line.startswith("SECURITY.md") for line in build.missing(ROOT))
    assert ("There is no address for that yet" in text) == is_missing


def test_licence_and_systems_are_what_other_files_say():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"\nlicense: {project['license']}\n" in (ROOT / "CITATION.cff").read_text()
    assert (ROOT / "LICENSE").read_text().startswith("BSD 3-Clause License")
    systems = [text for text in project["classifiers"] if text.startswith("Operating System")]
    assert systems == ["Operating System :: POSIX :: Linux"]
    assert "Tried on Linux\nalone" in (ROOT / "doc" / "versions.rst").read_text()
