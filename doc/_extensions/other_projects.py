"""Links to what other projects document, built without the web.

``other_projects.txt`` lists the objects that these pages name, each with its place below the
address of its project. Of them come the inventories that intersphinx reads.
"""

import zlib
from pathlib import Path

LIST = Path(__file__).parents[1] / "other_projects.txt"


def intersphinx_mapping(folder):
    """Write one inventory for each project to `folder`; return what intersphinx is told."""
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for name, (address, lines) in projects().items():
        header = f"# Sphinx inventory version 2\n# Project: {name}\n# Version: \n"
        header += "# The remainder of this file is compressed using zlib.\n"
        path = folder / f"{name}.inv"
        path.write_bytes(header.encode() + zlib.compress("\n".join([*lines, ""]).encode()))
        mapping[name] = (address, str(path))
    return mapping


def projects():
    """Return the address and the inventory's lines of each project."""
    found = {}
    for line in LIST.read_text().splitlines():
        words = line.split()
        if line.startswith("["):
            name, address = words[0].strip("[]"), words[1]
            found[name] = (address, [])
        elif words and not line.startswith("#"):
            item, role, place = words
            found[name][1].append(f"{item} {role} 1 {place.replace('*', item)} -")
    return found
