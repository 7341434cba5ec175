"""Two processes of a process group fit one model; one that dies ends the other."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import pytest

from skcausalpima import CausalPIMA
from skcausalpima.datasets import make_circles_images

pytestmark = [pytest.mark.slow, pytest.mark.posix]

#: What a rank runs, before what a test adds: its own half of some images and curves.
BEGINNING = """
import os, pickle, sys, time, warnings
from datetime import timedelta
from pathlib import Path
import torch
from skcausalpima import CausalPIMA
from skcausalpima._model.process_group import ProcessGroup
rank, folder, X = int(sys.argv[1]), Path(sys.argv[2]), pickle.load(sys.stdin.buffer)
torch.distributed.init_process_group(
    "gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=2,
    timeout=timedelta(seconds=10),
)
def model(**parameters):
    return CausalPIMA((2, 2), **SHORT | parameters)
def keep(**values):
    (folder / str(rank)).write_bytes(pickle.dumps(values))
"""
SHORT = {"max_iter": 5, "hidden_layer_sizes": (8,), "views": None, "random_state": 0}


@pytest.fixture(scope="module")
def images():
    return make_circles_images(600, random_state=0).images.astype("float32")[:, ::4, ::4]


@pytest.fixture
def ranks(tmp_path, images):
    """Run a script on two ranks; return what each keeps, and how it ends."""

    def run(script):
        def one(rank):
            code = f"SHORT = {SHORT}{BEGINNING}{script}"
            command = [sys.executable, "-W", "ignore", "-c", code, str(rank)]
            half = pickle.dumps(images[rank::2])
            ended = subprocess.run(
                [*command, str(tmp_path)], input=half, capture_output=True, timeout=120, check=False
            )
            kept = tmp_path / str(rank)
            if not kept.exists():
                return {}, ended
            return pickle.loads(kept.read_bytes()), ended

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(one, range(2)))

    return run


@pytest.mark.long
@pytest.mark.parametrize(
    "end",
    [pytest.param("os._exit(3)", id="dies"), pytest.param("time.sleep(14)", id="hangs")],
)
def test_a_rank_that_does_not_answer_is_an_error_on_the_other(ranks, end):
    (first, _), _ = ranks(
        f"""
from skcausalpima._model.tensors import TensorData
est = model(max_iter=1).fit(X)
average, steps, kept = TensorData.average_gradients, [], est.lower_bound_
def of(self, groups, n_rows):
    steps.append(1)
    if rank == 1 and len(steps) == 4:
        {end}
    average(self, groups, n_rows)
TensorData.average_gradients = of
begin = time.monotonic()
try:
    est.set_params(max_iter=3).fit(X)
except RuntimeError as error:
    keep(error=str(error), stays=est.lower_bound_ == kept, seconds=time.monotonic() - begin)
os._exit(0)
"""
    )
    assert first["error"].startswith("Another rank of the process group does not answer")
    assert first["stays"]
    assert first["seconds"] < 30


@pytest.mark.short_fits
def test_two_ranks_reach_the_bound_of_one_process_also_after_one_has_raised(ranks, images):
    """That is an error on the other at once; the process goes on, and so does the group."""
    (first, _), (second, ended) = ranks(
        """
from skcausalpima.callback import OnEpoch
def spoil(record):
    if rank == 1 and record.phase == "training" and record.epoch == 2:
        raise ZeroDivisionError("a mistake")
est, begin, told = model().set_callbacks(OnEpoch(spoil)), time.monotonic(), ""
try:
    est.fit(X)
except Exception as error:
    told = f"{type(error).__name__}: {error}"
seconds = time.monotonic() - begin
est.set_callbacks().fit(X)
sums = ProcessGroup().sum([len(X), rank])
keep(told=told, seconds=seconds, est=est, sums=sums, n=est.labels_.shape)
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""
    )
    assert ended.returncode == 0, ended.stderr
    assert first["told"].startswith(
        "RuntimeError: Another rank of the process group does not answer"
    )
    assert second["told"] == "ZeroDivisionError: a mistake"
    assert first["seconds"] < second["seconds"] + 3
    assert first["sums"].tolist() == second["sums"].tolist() == [600, 1]
    assert first["n"] == second["n"] == (300,)
    one, other = first["est"], second["est"]
    assert one.lower_bound_ == other.lower_bound_ == pytest.approx(one.score(images), rel=1e-5)
    for name, array in one._fitted.numbers.items():
        assert (array == other._fitted.numbers[name]).all(), name
    alone = CausalPIMA((2, 2), **SHORT).fit(images)
    assert one.lower_bound_ == pytest.approx(alone.lower_bound_, rel=0.01)


@pytest.mark.long
def test_wrong_and_odd_input_is_alike_on_both_ranks_or_one_error():
    """Some of the cases of the benchmark, in one group."""
    script = Path(__file__).parents[2] / "benchmarks" / "rank_cases.py"
    command = [sys.executable, str(script), "--only", "wrong"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_dask_runs_restarts_and_searches(images):
    distributed = pytest.importorskip("distributed")
    parameters = {"n_init": 2, "max_iter": 2, "random_state": 0}
    expected = CausalPIMA((2, 2), **parameters).fit(images[:200])
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        found = CausalPIMA((2, 2), **parameters).fit(images[:200])
    assert found.lower_bound_ == expected.lower_bound_
