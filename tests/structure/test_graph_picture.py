"""Where boxes and edges are drawn: apart, and to the right."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from skcausalpima._structure.graph_picture import layered_layout, strokes

WIDTH, HEIGHT = 90.0, 40.0


def complete(n_nodes):
    return nx.DiGraph([(i, j) for i, j in combinations(range(n_nodes), 2)])


def drawn_at_random(n_nodes, seed):
    rng = np.random.default_rng(seed)
    graph = nx.DiGraph()
    graph.add_nodes_from(rng.permutation(n_nodes).tolist())
    pairs = combinations(range(n_nodes), 2)
    graph.add_edges_from(pair for pair in pairs if rng.random() < 0.3)
    return graph


def laid_out(graph):
    return layered_layout(graph, dict.fromkeys(graph, (WIDTH, HEIGHT)))


GRAPHS = {f"complete-{n}": complete(n) for n in (2, 3, 5, 12)}
GRAPHS |= {f"random-{n}-{seed}": drawn_at_random(n, seed) for n in (6, 12) for seed in range(4)}
GRAPHS |= {"single": nx.empty_graph(1, nx.DiGraph), "alone": nx.empty_graph(12, nx.DiGraph)}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_boxes_are_apart_and_inside(graph):
    found = laid_out(graph)
    for (x, y), (u, v) in combinations(found.centres.values(), 2):
        assert abs(x - u) >= WIDTH + 60 - 1e-9 or abs(y - v) >= HEIGHT + 24 - 1e-9
    half = np.array([WIDTH, HEIGHT]) / 2
    for centre in found.centres.values():
        assert (half - 1e-9 <= centre).all()
        assert (centre + half <= np.array(found.size) + 1e-9).all()


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_edges_run_to_the_right_from_box_to_box_past_all_others(graph):
    found = laid_out(graph)
    assert set(found.routes) == set(graph.edges)
    for (parent, child), route in found.routes.items():
        assert (np.diff(route[:, 0]) >= 0).all()
        for end, node, share in ((route[0], parent, 0.5), (route[-1], child, -0.5)):
            x, y = found.centres[node]
            assert end[0] == pytest.approx(x + share * WIDTH)
            assert abs(end[1] - y) < HEIGHT / 2
        for left, right in zip(route[::2], route[1::2], strict=True):  # the straight parts
            assert left[1] == right[1]
            for node in set(graph) - {parent, child}:
                x, y = found.centres[node]
                passes = left[0] < x + WIDTH / 2 and x - WIDTH / 2 < right[0]
                assert not (passes and abs(left[1] - y) < HEIGHT / 2)


def test_a_chain_is_a_straight_line_and_parents_stand_above_each_other():
    chain = laid_out(nx.DiGraph([("a", "b"), ("b", "c")]))
    assert len({y for _, y in chain.centres.values()}) == 1
    collider = laid_out(nx.DiGraph([("a", "c"), ("b", "c")])).centres
    assert collider["a"][0] == collider["b"][0] < collider["c"][0]
    assert collider["c"][1] == pytest.approx((collider["a"][1] + collider["b"][1]) / 2)


def test_a_late_root_stands_close_to_its_child():
    found = laid_out(nx.DiGraph([("a", "b"), ("b", "c"), ("root", "c")])).centres
    assert found["root"][0] == found["b"][0]


def test_edges_do_not_cross_needlessly():
    found = laid_out(nx.DiGraph([("a", "d"), ("b", "c")])).centres
    assert (found["a"][1] < found["b"][1]) == (found["d"][1] < found["c"][1])


def test_the_pen_goes_along_the_route():
    route = laid_out(complete(3)).routes[0, 2]
    pen = list(strokes(route))
    assert "".join(letter for letter, _ in pen) == "MLCLCL"
    np.testing.assert_array_equal([points[-1] for _, points in pen], route)
