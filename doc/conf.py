"""Configuration of Sphinx."""

from importlib.metadata import version as installed_version

project = "skcausalpima"
author = "the skcausalpima developers"
version = release = installed_version("skcausalpima")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "matplotlib.sphinxext.plot_directive",
]
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst"]
default_role = "literal"

autosummary_generate = True
numpydoc_show_class_members = True
numpydoc_show_inherited_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "reference_url": {"skcausalpima": None},
    "show_memory": False,
    "min_reported_time": 10_000,  # no list of computation times in the pages
}
suppress_warnings = ["config.cache"]

# Figures of the guide, drawn when the pages are built.
plot_include_source = True
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("png", 130)]

html_theme = "pydata_sphinx_theme"
html_title = "skcausalpima"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
html_show_sourcelink = False
