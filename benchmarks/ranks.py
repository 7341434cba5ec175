"""One fit in one process, and over the ranks of a gloo process group on this machine.

Each rank has a part of the images of three discs (``--samples``), drawn alike by all of them, and
one thread. ``seconds`` are those of ``fit`` on the slowest rank; ``training`` leaves out reading,
the start and what follows the selection of the graph, of which each rank does as much as one
process. ``processor`` are the seconds that the busiest rank's processor worked, which other jobs on
the machine do not change; while a rank waits for another its processor may work, too. ``bound`` is
that of all images. The print is a markdown table. It runs from a checkout as it is.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and PyTorch are imported

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import distributed

from skcausalpima import CausalPIMA, Training
from skcausalpima._fit import run
from skcausalpima.datasets import make_circles_images


def fit_one_rank(rank: int, n_ranks: int, store: str, args: argparse.Namespace) -> None:
    """Fit this rank's part and print what was seen."""
    torch.set_num_threads(1)
    if n_ranks > 1:
        distributed.init_process_group(
            "gloo",
            init_method=f"file://{store}",
            rank=rank,
            world_size=n_ranks,
            timeout=timedelta(minutes=5),
        )
    images = make_circles_images(args.samples, random_state=0).images.astype("float32")
    training, worked_in, train = [0.0], [0.0], run.epochs

    def timed(*given: object) -> None:
        begin, worked = time.perf_counter(), time.process_time()
        train(*given)
        training[0] += time.perf_counter() - begin
        worked_in[0] += time.process_time() - worked

    run.epochs = timed
    est = CausalPIMA(
        (2, 2, 2), training=Training(batch_size=args.batch_size), random_state=args.seed
    )
    begin, worked = time.perf_counter(), time.process_time()
    est.fit(images[rank::n_ranks])
    seen = {
        "seconds": time.perf_counter() - begin,
        "processor": time.process_time() - worked,
        "training": training[0],
        "of training": worked_in[0],
        "bound": est.lower_bound_,
        "epochs": est.n_iter_,
        "edges": len(est.dag_.edges),
    }
    print(json.dumps(seen))
    if n_ranks > 1:
        distributed.destroy_process_group()


def seen_on(n_ranks: int, args: argparse.Namespace) -> dict[str, float]:
    """Return the largest of what ranks have seen; the bound is the same on all of them."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, *sys.argv[1:], "--store", f"{folder}/store"]
        ranks = [
            subprocess.Popen(
                [*command, "--rank", str(rank), "--of", str(n_ranks)], stdout=subprocess.PIPE
            )
            for rank in range(n_ranks)
        ]
        found = [json.loads(rank.communicate()[0].splitlines()[-1]) for rank in ranks]
    assert len({rank["bound"] for rank in found}) == 1
    return {name: max(rank[name] for rank in found) for name in found[0]}


def main() -> None:
    """Print a line for each number of ranks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=4096)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, default=0)
    for hidden in ("--rank", "--of"):
        parser.add_argument(hidden, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--store", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rank is not None:
        fit_one_rank(args.rank, args.of, args.store, args)
        return
    print(f"{args.samples} images, batches of {args.batch_size}:\n")
    print("| ranks | seconds | training | processor | of training | epochs | edges | bound |")
    print("|---|---|---|---|---|---|---|---|")
    for n_ranks in args.ranks:
        seen = seen_on(n_ranks, args)
        times = ("seconds", "training", "processor", "of training")
        cells = [str(n_ranks), *(f"{seen[name]:.1f}" for name in times)]
        cells += [str(seen["epochs"]), str(seen["edges"]), f"{seen['bound']:.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
