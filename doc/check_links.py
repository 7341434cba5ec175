"""Check the links of built pages without the web: the page, file or anchor they name is there.

Run ``python doc/check_links.py doc/_build/html``. Links that are dead are printed, one a line.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The anchors of a page, and where its links lead."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors |= {attributes.get("id"), attributes.get("name") if tag == "a" else None}
        link = attributes.get("href" if tag in ("a", "link") else "src")
        if link is not None:
            self.links.append(link)


def dead_links(folder):
    """Return (page, link) of all links within `folder` that lead nowhere."""
    folder = Path(folder).resolve()
    paths = [path for path in folder.rglob("*.html") if folder / "_static" not in path.parents]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in paths}
    if not pages:
        raise SystemExit(f"{folder} holds no pages: build them first.")
    return [
        (path.relative_to(folder), link)
        for path, page in sorted(pages.items())
        for link in page.links
        if is_dead(link, path, pages)
    ]


def is_dead(link, path, pages):
    """Return whether a link of the page at `path` leads to no file or no anchor of a page."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.exists():
        return True
    anchor = unquote(parts.fragment)
    return bool(anchor) and target in pages and anchor not in pages[target].anchors


if __name__ == "__main__":
    found = dead_links(sys.argv[1])
    for page, link in found:
        print(f"{page}: {link}")
    sys.exit(f"{len(found)} links are dead." if found else 0)
