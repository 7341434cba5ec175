"""Seeded data sets whose factors, and the graph that generated them, are known."""

from ._contexts import add_context
from ._images import (
    load_digits_with_curves,
    make_circles_images,
    make_grey_bars,
    make_sized_circles,
    make_striped_circles,
)
from ._lattices import make_lattices
from ._scenes import make_pendulum, make_rectangles
from ._spectra import make_spectra
from ._sprites import make_sprites

__all__ = [
    "add_context",
    "load_digits_with_curves",
    "make_circles_images",
    "make_grey_bars",
    "make_lattices",
    "make_pendulum",
    "make_rectangles",
    "make_sized_circles",
    "make_spectra",
    "make_sprites",
    "make_striped_circles",
]
