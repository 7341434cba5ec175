"""The README as an index page shows it: what is relative to the repository gets an address.

All other metadata are in ``pyproject.toml``. A build runs this file, and says what the owner has
still to fill in.
"""

import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent

#: Addresses in ``[project.urls]``; the first two are those of the README's links.
ADDRESSES = ["Documentation", "Source", "Issues"]

#: What else only the owner can fill in: file, what is missing, and how it looks once it is there.
OF_THE_OWNER = [
    ("CITATION.cff", "repository-code", r"(?m)^repository-code: "),
    ("SECURITY.md", "the address of private reports", r"https://"),
    (".github/ISSUE_TEMPLATE/config.yml", "contact_links", r"(?m)^contact_links:"),
]


def long_description(readme: str, urls: Mapping[str, str], version: str) -> str:
    """Return the README with an address for each link and picture, or, without addresses, as it is.

    Pages of ``doc`` are those of the built documentation. Other files and pictures are those of the
    tag of this version, where GitHub has them.
    """
    if not all(urls.get(name) for name in ADDRESSES[:2]):
        return readme
    pages, source = (urls[name].rstrip("/") for name in ADDRESSES[:2])

    def address(match: re.Match) -> str:
        before, path, after = match.groups()
        if re.match(r"[a-z]+:", path):
            return match[0]
        if page := re.fullmatch(r"doc/(.+)\.rst", path):
            return f"{before}{pages}/{page[1]}.html{after}"
        kind = "raw" if before.startswith(".. ") else "blob"
        return f"{before}{source}/{kind}/v{version}/{path}{after}"

    return re.sub(r"(\.\. image:: |`[^`<]+<)([^>\s]+)(\s|>`_)", address, readme)


def missing(root: Path) -> list[str]:
    """Return what the owner has not filled in, a line for each file."""
    project = metadata(root)
    urls = project.get("urls", {})
    lacking = [f"[project.urls] {name}" for name in ADDRESSES if not urls.get(name)]
    lacking = ([] if project.get("authors") else ["authors"]) + lacking
    lines = [f"pyproject.toml: {', '.join(lacking)}"] if lacking else []
    for name, what, pattern in OF_THE_OWNER:
        path = root / name  # the archive of the sources has no folder .github
        if path.is_file() and not re.search(pattern, path.read_text(encoding="utf-8")):
            lines.append(f"{name}: {what}")
    return lines


def metadata(root: Path) -> dict:
    """Return what ``pyproject.toml`` says of the project."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def main() -> None:
    """Hand the README to setuptools; ``dynamic`` in ``pyproject.toml`` asks for it."""
    from setuptools import setup  # not there where tests import this file

    if "egg_info" not in sys.argv and (lines := missing(ROOT)):
        print("Not to be uploaded yet: the owner fills in", *lines, sep="\n  ", file=sys.stderr)
    version = (ROOT / "skcausalpima" / "_base" / "version.py").read_text(encoding="utf-8")
    setup(
        long_description=long_description(
            (ROOT / "README.rst").read_text(encoding="utf-8"),
            metadata(ROOT).get("urls", {}),
            re.search(r'__version__ = "(.+)"', version)[1],
        ),
        long_description_content_type="text/x-rst",
    )


if __name__ == "__main__":
    main()
