"""The site: Sphinx over this folder, `results/` and the docstrings.

Nothing is executed or trained.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

import qagrel  # noqa: E402

project = "qagrel"
author = "The qagrel authors"
project_copyright = author
version = release = qagrel.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "ext.docstrings",
    "ext.made",
    "ext.mathml",
]
exclude_patterns = ["_build", "made/*.part.md", "teacher"]
nitpicky = True
nitpick_ignore_regex = [  # documented elsewhere, which could be asked by network only
    ("py:.*", r"(matplotlib|numpy|pandas|sklearn)\..*"),
    ("py:class", r"qagrel\.triallog\.TrialLog"),  # seen as `History.trials`
]
show_warning_types = True

# Notebooks are shown as they were executed by the pipeline.
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # tables, too
myst_enable_extensions = ["attrs_block", "attrs_inline", "deflist", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.header",  # a part of another page may begin with a heading of the second level
]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # signatures carry them
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
default_role = "code"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_show_search_summary = False  # it reads other pages, which a page from a file may not
html_theme = "furo"
html_title = "qagrel"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
