"""Images that stay on disk beside the same in memory: peak memory and speed of an epoch.

Images of eight kinds, as whole numbers of one byte, are written in blocks to a memory map in a
temporary folder: 4 GB of them by default (``--rows 1048576 --size 64``). Each fit is a process of
its own, which reads, checks and scales the data, finds clusters and makes one epoch, without
pre-training, and with ``--whole`` all that follows. ``rows per second`` are those of the epoch, the
mixture's pass included. Beside all rows on disk, a part of them (``--part``) is fitted on disk and
in memory. ``--format h5py`` or ``zarr`` writes chunks of 512 images instead, ``--hidden 16`` makes
small networks, where reading counts for more. Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

CHUNK = 512  # rows written, and stored, together


def images(noise: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return images of a bright or dark, small or large disc, left or right, and noise."""
    n_rows = len(noise)
    bright, large, right = rng.integers(0, 2, (3, n_rows))
    y, x = np.ogrid[:size, :size]
    centre = size * (3 + 2 * right) / 8 + rng.normal(0, size / 32, n_rows)
    radius = size * (1 + large) / 8
    square = (x - centre[:, None, None]) ** 2 + (y - size / 2) ** 2
    disc = square < radius[:, None, None] ** 2
    return noise + disc * (90 + 90 * bright).astype(np.uint8)[:, None, None]


def write(path: str, kind: str, n_rows: int, size: int) -> None:
    """Write images in blocks."""
    shape, rng = (n_rows, size, size), np.random.default_rng(0)
    if kind == "memmap":
        array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    elif kind == "h5py":
        import h5py

        array = h5py.File(path, "w").create_dataset("x", shape, "u1", chunks=(CHUNK, size, size))
    else:
        import zarr

        array = zarr.create_array(path, shape=shape, chunks=(CHUNK, size, size), dtype="u1")
    noise = rng.integers(30, 60, (CHUNK, size, size), dtype=np.uint8)
    for start in range(0, n_rows, CHUNK):
        drawn = np.roll(noise[rng.permutation(CHUNK)[: n_rows - start]], rng.integers(size), axis=2)
        array[start : start + CHUNK] = images(drawn, size, rng)
    if kind == "memmap":
        array.flush()
    elif kind == "h5py":
        array.file.close()


def opened(path: str, kind: str):
    """Return the images, none of them read."""
    if kind == "memmap":
        return np.load(path, mmap_mode="r")
    if kind == "h5py":
        import h5py

        return h5py.File(path)["x"]
    import zarr

    return zarr.open_array(path, mode="r")


def peak() -> float:
    """Return the most memory that the process has had, in MB.

    A process has that of its parent to begin with: the parent must be small.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class EpochOverError(Exception):
    """Ends a fit of which only the epoch is looked at."""


def fit(
    path: str, kind: str, n_rows: int, on_disk: bool, hidden: tuple[int, ...], is_whole: bool
) -> None:
    """Make one epoch and print what it took."""
    from skcausalpima import CausalPIMA, Initialization, MissingValues, MultimodalData, ScoreSearch
    from skcausalpima._data import on_disk as files
    from skcausalpima._fit import run

    files.MAX_READ_BYTES = 0 if on_disk else 2**62
    before, begin, train, seconds = peak(), time.perf_counter(), run.epochs, []

    def timed(*args) -> None:
        start = time.perf_counter()
        train(*args)
        seconds.append(time.perf_counter() - start)
        if not is_whole:
            raise EpochOverError

    run.epochs = timed
    est = CausalPIMA(
        (2, 2, 2),
        max_iter=1,
        hidden_layer_sizes=hidden,
        init=Initialization(pretraining_epochs=0),
        structure=ScoreSearch(polishing_epochs=0),
        missing_values=MissingValues(subset_epochs=0),
        random_state=0,
    )
    warnings.simplefilter("ignore")
    with contextlib.suppress(EpochOverError):
        est.fit(MultimodalData([opened(path, kind)])[:n_rows])
    whole = time.perf_counter() - begin
    print(json.dumps([n_rows, on_disk, before, peak(), n_rows / seconds[0], whole]))


def measured(path: str, args: argparse.Namespace, n_rows: int, on_disk: bool) -> list:
    """Return what a fit in a process of its own takes."""
    where = "disk" if on_disk else "memory"
    return json.loads(again(args, "--fit", path, args.format, str(n_rows), where))


def again(args: argparse.Namespace, *words: str) -> bytes:
    """Run this file in a process of its own; return what it prints."""
    options = ["--hidden", args.hidden, "--size", str(args.size), *["--whole"] * args.whole]
    command = [sys.executable, __file__, *options, *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2**20)
    parser.add_argument("--part", type=int, default=2**16)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--format", choices=("memmap", "h5py", "zarr"), default="memmap")
    parser.add_argument("--whole", action="store_true", help="go on to the end of the fit")
    parser.add_argument("--hidden", default="128,64,32,16")
    parser.add_argument("--fit", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fit is not None:
        path, kind, n_rows, where = args.fit
        hidden = tuple(map(int, args.hidden.split(",")))
        if where == "write":
            write(path, kind, int(n_rows), args.size)
        else:
            fit(path, kind, int(n_rows), where == "disk", hidden, args.whole)
        return
    n_bytes = args.rows * args.size**2
    with tempfile.TemporaryDirectory() as folder:
        if shutil.disk_usage(folder).free < 1.2 * n_bytes:
            raise SystemExit(f"{folder} has no room for {n_bytes / 1e9:.1f} GB: take fewer --rows.")
        path = os.path.join(folder, "images.npy")
        again(args, "--fit", path, args.format, str(args.rows), "write")
        part = min(args.part, args.rows)
        print("| rows | GB of images | where | MB before, at most | rows/s | seconds in all |")
        print("|---|---|---|---|---|---|", flush=True)
        for n_rows, on_disk in dict.fromkeys([(part, False), (part, True), (args.rows, True)]):
            _, _, before, most, speed, whole = measured(path, args, n_rows, on_disk)
            size = n_rows * args.size**2 / 1e9
            where = "disk" if on_disk else "memory"
            row = (n_rows, f"{size:.2f}", where, f"{before:.0f}, {most:.0f}", f"{speed:.0f}")
            print(f"| {' | '.join(map(str, row))} | {whole:.0f} |", flush=True)


if __name__ == "__main__":
    main()
