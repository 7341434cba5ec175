"""The networks of pgmpy's package: read as files, written and read again.

Versions 0.1.26 and 1.1.2 bring them; tests are skipped where there are none. It is not imported.
"""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from skcausalpima.graph import CategoricalDAG

NETWORKS = {  # nodes, edges, numbers in all tables
    "alarm": (37, 46, 752),
    "andes": (223, 338, 2314),
    "asia": (8, 8, 36),
    "barley": (48, 84, 130180),
    "cancer": (5, 4, 20),
    "child": (20, 25, 344),
    "diabetes": (413, 602, 461069),
    "earthquake": (5, 4, 20),
    "hailfinder": (56, 66, 3741),
    "hepar2": (70, 123, 2139),
    "insurance": (27, 52, 1419),
    "link": (724, 1125, 20502),
    "mildew": (35, 46, 547158),
    "munin": (1041, 1397, 98423),
    "munin1": (186, 273, 19226),
    "munin2": (1003, 1244, 83920),
    "munin3": (1041, 1306, 85615),
    "munin4": (1038, 1388, 97943),
    "pathfinder": (109, 195, 97851),
    "pigs": (441, 592, 8427),
    "sachs": (11, 17, 267),
    "survey": (6, 6, 37),
    "water": (32, 66, 13484),
    "win95pts": (76, 112, 1148),
}


@pytest.fixture
def public_text():
    spec = importlib.util.find_spec("pgmpy")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(
            "pgmpy is not installed; its package has the networks (pip install pgmpy==0.1.26)"
        )
    folder = Path(spec.submodule_search_locations[0]) / "utils" / "example_models"

    def load(name):
        path = folder / f"{name}.bif.gz"
        if not path.exists():
            pytest.skip(f"the installed pgmpy has no file {path.name}; version 0.1.26 does")
        return gzip.decompress(path.read_bytes()).decode()

    return load


@pytest.mark.parametrize("name", NETWORKS)
def test_there_and_back(name, public_text):
    dag = CategoricalDAG.from_bif(public_text(name))
    n_numbers = sum(table.size for table in dag.cpts.values())
    assert (len(dag.nodes), len(dag.graph.edges), n_numbers) == NETWORKS[name]
    back = CategoricalDAG.from_bif(dag.to_bif())
    assert back.nodes == dag.nodes
    assert back.states == dag.states
    for node in dag.nodes:
        assert list(back.graph.predecessors(node)) == list(dag.graph.predecessors(node))
        np.testing.assert_array_equal(back.cpts[node], dag.cpts[node])
