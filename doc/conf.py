"""Configuration of Sphinx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from skcausalpima import __version__

project = "skcausalpima"
author = "the skcausalpima developers"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst"]
default_role = "literal"

autosummary_generate = True
numpydoc_show_class_members = True
numpydoc_show_inherited_class_members = False
numpydoc_class_members_toctree = False

# In a newcomer's order, after what lies in examples/ itself.
GALLERY_SECTIONS = ["incomplete", "graph", "nodes", "model_choice", "paper"]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "subsection_order": [f"../examples/{section}" for section in GALLERY_SECTIONS],
    "within_subsection_order": "FileNameSortKey",
    "nested_sections": False,
    "filename_pattern": r"/plot_",
    "reference_url": {"skcausalpima": None},
    "show_memory": False,
    "min_reported_time": 10_000,  # no list of computation times in the pages
}
suppress_warnings = ["config.cache"]

html_theme = "pydata_sphinx_theme"
html_title = "skcausalpima"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
html_show_sourcelink = False


def setup(app):
    app.connect("env-updated", name_examples_without_section)


def name_examples_without_section(app, env):
    """Let pages refer to ``sphx_glr_auto_examples_plot_digits.py``, whatever section it is in."""
    domain = env.get_domain("std")
    for names in (domain.labels, domain.anonlabels):
        for name in list(names):
            for section in GALLERY_SECTIONS:
                names.setdefault(name.replace(f"_{section}_plot_", "_plot_"), names[name])
