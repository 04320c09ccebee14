"""How the pages under docs/ become a site: ``make docs``. Nothing is fetched from anywhere."""

from __future__ import annotations

from importlib.metadata import version as version_of

project = "Gemeos"
copyright = "the Gemeos contributors"  # noqa: A001 -- the name that Sphinx reads
version = release = version_of("gemeos")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"Gemeos {version}"
html_copy_source = False
nitpicky = False

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True, "exclude-members": "__init__, __new__"}
autoclass_content = "both"
napoleon_numpy_docstring = False
