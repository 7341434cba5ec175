"""The axes that pictures are drawn on, and the names in them."""

import sys

import matplotlib.pyplot as plt
import networkx as nx
import pytest
from drawn_texts import assert_readable, overlapping_texts

from skcausalpima.inspection import GraphDisplay, LatentDisplay
from skcausalpima.inspection._displays.display import Display
from skcausalpima.inspection._displays.labels import cell_names, listed, shortened, wrapped
from skcausalpima.inspection._displays.styles import group_style


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"LatentDisplay.plot needs .*skcausalpima\[plot\]"):
        LatentDisplay._pyplot()


def test_one_axes_are_made_or_taken():
    display = GraphDisplay(nx.DiGraph())
    made = display._one_axes(None, (3, 2))
    assert tuple(display.figure_.get_size_inches()) == (3, 2)
    assert display._one_axes(made) is made is display.ax_
    with pytest.raises(TypeError, match=r"ax of GraphDisplay.plot .* got Figure"):
        display._one_axes(made.figure)


def test_axes_are_divided_once():
    _, ax = plt.subplots()
    parts = Display._axes_table(ax, (2, 3), (4, 4), height_ratios=[1, 2])
    assert parts.shape == (2, 3)
    assert not ax.axison
    assert len(ax.figure.axes) == 7
    assert Display._axes_table(parts, (2, 3), (4, 4)).tolist() == parts.tolist()
    with pytest.raises(ValueError, match="already divided this ax"):
        Display._axes_table(ax, (2, 3), (4, 4))
    with pytest.raises(ValueError, match="2 x 2 axes, got 6"):
        Display._axes_table(parts, (2, 2), (4, 4))


def test_axes_placed_by_hand_are_divided_where_they_are():
    ax = plt.figure().add_axes((0.5, 0.5, 0.4, 0.4))
    (left, right) = Display._axes_table(ax, (1, 2), (4, 4))[0]
    assert left.get_position().x0 == pytest.approx(0.5)
    assert right.get_position().x1 == pytest.approx(0.9)


def test_up_to_64_groups_look_apart_and_more_have_a_style():
    styles = [group_style(k) for k in range(80)]
    assert len({(s.colour, s.marker) for s in styles[:64]}) == 64
    assert len({(s.colour, s.hatch) for s in styles[:64]}) == 64
    assert len({(s.colour, s.line) for s in styles[:64]}) == 64
    assert len({s.marker for s in styles[:8]}) == len({s.hatch for s in styles[:8]}) == 8
    assert styles[64:] == styles[:16]


@pytest.mark.parametrize("n_letters", [1, 2, 3, 8, 30])
@pytest.mark.parametrize("name", ["", "ab", "temperature_of_the_print_bed_1", "x" * 30, "a b" * 10])
def test_names_keep_to_their_width(name, n_letters):
    assert len(shortened(name, n_letters)) <= n_letters
    for n_lines in (1, 2, 3):
        lines = wrapped(name, n_letters, n_lines).splitlines()
        assert len(lines) <= n_lines
        assert all(len(line) <= n_letters for line in lines)
        lines = listed([name] * 6, max(n_letters, 20), n_lines).splitlines()
        assert len(lines) <= n_lines
        assert all(len(line) <= max(n_letters, 20) for line in lines)


def test_cells_are_named_by_their_outcomes():
    assert cell_names([[0, 1], [1, 0]], ["01", "01"]) == ["01", "10"]
    assert cell_names([[0, 1]], ["01", ("10", "11")]) == ["0,11"]
    assert cell_names([[0, 1]], [("temperature_of_bed", "b"), "01"]) == ["temp…bed,1"]


def test_the_helper_sees_overlaps():
    ax = plt.figure().add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.text(0.1, 0.5, "one text")
    assert_readable(ax.figure)
    ax.text(0.12, 0.5, "another")
    assert overlapping_texts(ax.figure) == [("one text", "another")]
