"""What an epoch costs, against a bare PyTorch loop over the same networks, and what a fit costs.

The bare loop trains encoders and decoders with squared error and fused Adam, in the same batches;
ours adds the product of experts, the posterior of components and latent points, graph and
block-coordinate update, with the slopes of the decoders that it asks for. Epochs of the two
alternate in one process, and quoted is the median of the ratios of neighbours, in processor time.
``--compiled`` adds the first row as ``Device(compile=True)`` trains it, and the seconds of its
first epoch, in which it is compiled; ``--autocast`` the same in bfloat16. ``--fits`` adds seconds
of a default fit of 4096 discs by phase, and ``--mixtures`` an iteration of the first mixture of
default fits, of that of the published algorithm, and of scikit-learn's, all with diagonal
covariances. All prints are markdown tables. It runs from a checkout as it is.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and PyTorch are imported

import argparse
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from skcausalpima import CausalPIMA, Device, Initialization, MissingValues, Training
from skcausalpima._initialization.mixture import iterate_mixture, iterate_posteriors
from skcausalpima._model.build import build_model
from skcausalpima._model.settings import MixtureSettings, Schedule, TrainingSettings
from skcausalpima._model.spec import ModelSpec
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.block_update import BlockUpdate
from skcausalpima._training.loop import Phase
from skcausalpima._training.loop import epochs as train
from skcausalpima._training.observer import Observer
from skcausalpima.datasets import make_circles_images, make_lattices
from skcausalpima.functional import DiagonalGaussian, Potential
from skcausalpima.modules import Batch, ExpertDecoder, line

HIDDEN = (128, 64, 32, 16)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row: what is trained."""

    load: Callable[[], Sequence[np.ndarray]]
    sizes: tuple[int, ...]
    batch_size: int = 128
    networks: str | None = None
    expert: ExpertDecoder | None = None  # in the place of the last modality's decoder

    def data(self) -> list[torch.Tensor]:
        """Return the modalities, flat and centred."""
        arrays = [np.asarray(array, dtype=np.float32) for array in self.load()]
        return [torch.from_numpy(a.reshape(len(a), -1) - a.mean()) for a in arrays]

    def model(self, seed: int = 0):
        """Build the model."""
        shapes = tuple(array.shape[1:] for array in self.load())
        n_modalities, n_nodes = len(shapes), len(self.sizes)
        spec = ModelSpec(
            node_sizes=self.sizes,
            node_names=tuple(f"N{node + 1}" for node in range(n_nodes)),
            latent_dim=max(2, sum(size - 1 for size in self.sizes)),
            modality_names=tuple(f"modality{m}" for m in range(n_modalities)),
            shapes=shapes,
            encoders=[self.networks] * n_modalities,
            decoders=[self.networks] * n_modalities,
            experts=[None] * (n_modalities - 1) + [self.expert],
            hidden_layer_sizes=HIDDEN,
            linear=True,
            full_covariances=True,
            modality_weights=None,
            prior_expert=True,
            sampled_responsibilities=False,
            dtype="float32",
            predict_variances=(False,) * n_modalities,
            views=(None,) * n_modalities,
        )
        model = build_model(spec, torch.Generator().manual_seed(seed))
        for m, expert in model.experts:
            expert.set_units(np.zeros(shapes[m]), 1.0)
        return model


def discs(n_samples: int = 4096) -> list[np.ndarray]:
    """Return images of discs."""
    return [make_circles_images(n_samples, random_state=0).images]


def two_modalities() -> list[np.ndarray]:
    """Return 5000 noisy images of 784 pixels and curves of 20 points."""
    rng = np.random.default_rng(0)
    group = rng.integers(10, size=5000)
    shapes = ((28, 28), (20,))
    return [rng.normal(size=(10, *s))[group] + rng.normal(size=(5000, *s)) for s in shapes]


def lattices() -> list[np.ndarray]:
    """Return images and curves of lattices."""
    bunch = make_lattices(n_samples=256, random_state=0)
    return [bunch.images[:, ::2, ::2], bunch.curves]


POINTS = np.linspace(0.0, 1.0, 20)


def discs_and_lines() -> list[np.ndarray]:
    """Return images of discs with noisy lines, a line for each cell."""
    bunch, rng = make_circles_images(4096, random_state=0), np.random.default_rng(0)
    slopes, offsets = rng.normal(size=(2, 8))[:, bunch.target]
    lines = slopes[:, None] * POINTS + offsets[:, None]
    return [bunch.images, lines + 0.1 * rng.normal(size=lines.shape)]


CASES = {
    "circles [2, 2, 2]": Case(load=discs, sizes=(2, 2, 2)),
    "two modalities [10]": Case(load=two_modalities, sizes=(10,), batch_size=100),
    "circles [2] * 6": Case(load=discs, sizes=(2,) * 6),
    "circles [2] * 10": Case(load=discs, sizes=(2,) * 10),
    "lattices with convolutions [3]": Case(load=lattices, sizes=(3,), networks="conv"),
    "circles and an expert [2, 2, 2]": Case(
        load=discs_and_lines, sizes=(2, 2, 2), expert=ExpertDecoder(line, POINTS)
    ),
}


class BareLoop:
    """Autoencoder with the same networks, squared error, fused Adam."""

    def __init__(self, case: Case):
        model = case.model()
        self.encoders, self.decoders, self.shapes = model.encoders, model.decoders, model.shapes
        self.data, self.batch_size = case.data(), case.batch_size
        parameters = [*self.encoders.parameters(), *self.decoders.parameters()]
        self.optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)

    def epoch(self) -> None:
        for rows in torch.randperm(len(self.data[0])).split(self.batch_size):
            batch = [array[rows] for array in self.data]
            parts = zip(self.encoders, batch, self.shapes, strict=True)
            means = [encode(x.unflatten(1, s)).chunk(2, dim=1)[0] for encode, x, s in parts]
            z = torch.stack(means).mean(dim=0)
            pairs = zip(self.decoders, batch, strict=True)
            errors = [
                (decode(z).flatten(1) - x).square().sum(dim=1)
                for decode, x in pairs
                if decode.depends_on_latent  # an expert is no network
            ]
            loss = torch.stack(errors).sum(dim=0).mean()
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()


class OurLoop:
    """One epoch of Algorithm 2 at a time."""

    def __init__(self, case: Case, **steps: bool):
        self.model = case.model()
        arrays = case.data()
        self.data = TensorData(Batch(tuple(arrays), None), torch.float32)
        self.settings = TrainingSettings(
            steps=Training(batch_size=case.batch_size, tol=0.0),
            mixture=MixtureSettings(covariance_type="full", reg_covar=1e-6, shrinkage=500.0),
            initialization=Initialization("linear"),
            missing_values=MissingValues(subset_epochs=0),
            device=Device(**steps),
            schedule=Schedule(n_epochs=1, pretraining_epochs=0),
            temperatures=np.ones(1),
            graph_learning_rate=1e-2,
            edge_penalty=0.0,
            decoder_variance="learned",
            verbose=0,
        )
        self.update = BlockUpdate(
            mixture=self.settings.mixture,
            generator=torch.Generator().manual_seed(0),
            variance_floors=torch.full((len(arrays),), 1e-6),
        )

    def epoch(self) -> None:
        phase = Phase(self.model, self.settings, Observer(), self.settings.temperatures)
        train(phase, self.data, self.update)


def seconds_of(function: Callable[[], object]) -> float:
    """Return the processor time of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def print_table(*lines: Sequence[object]) -> None:
    """Print lines, of which the first is the head, as a markdown table."""
    head, *rows = ([str(cell) for cell in cells] for cells in lines)
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row)} |", flush=True)
    print()


def epochs(words: str, n_rounds: int) -> None:
    """Print what epochs cost."""
    lines: list[Sequence[object]] = [("row", "bare ms", "ours ms", "ratio")]
    for name, case in CASES.items():
        if words in name:
            lines.append((name, *compared(BareLoop(case), OurLoop(case), n_rounds)))
    print_table(*lines)


def compared(bare: BareLoop, ours: OurLoop, n_rounds: int) -> list[str]:
    """Return the milliseconds of an epoch of both, and their ratio."""
    pairs = [(seconds_of(bare.epoch), seconds_of(ours.epoch)) for _ in range(n_rounds + 1)][1:]
    times = [f"{1e3 * statistics.median(of):.0f}" for of in zip(*pairs, strict=True)]
    return [*times, f"{statistics.median(o / b for b, o in pairs):.2f}"]


def accelerated(n_rounds: int, **steps: bool) -> None:
    """Print what epochs of the first row cost as a :class:`Device` has them, and what the first."""
    name, case = next(iter(CASES.items()))
    bare, ours = BareLoop(case), OurLoop(case, **steps)
    start = time.perf_counter()
    ours.epoch()
    first = f"{time.perf_counter() - start:.1f}"
    heads = ("row", "bare ms", "ours ms", "ratio", "first epoch, s")
    words = ", ".join(steps)
    print_table(heads, (f"{name}, {words}", *compared(bare, ours, n_rounds), first))


def fits() -> None:
    """Print the seconds of a default fit of 4096 discs until each phase begins, and its memory."""
    images, begun = discs()[0], {}
    begin = Observer.begin

    def noted(observer: Observer, phase: str, *arguments: object) -> None:
        begun[phase] = time.process_time()
        begin(observer, phase, *arguments)

    Observer.begin = noted
    start = time.process_time()
    CausalPIMA((2, 2, 2), random_state=0).fit(images)
    begun["end"] = time.process_time()
    Observer.begin = begin
    k_means = MiniBatchKMeans(8, random_state=0)
    flat = images.reshape(len(images), -1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = [(f"until {phase}", f"{at - start:.1f}") for phase, at in begun.items()]
    lines.append(("MiniBatchKMeans", f"{seconds_of(lambda: k_means.fit(flat)):.1f}"))
    print_table(("a fit of 4096 discs", "s"), *lines, ("peak memory, MB", f"{peak:.0f}"))


def mixtures() -> None:
    """Print what an iteration of a diagonal mixture costs."""
    rng = np.random.default_rng(0)
    heads = ("components", "ours ms", "published ms", "scikit-learn ms", "ratio")
    lines: list[Sequence[object]] = [heads]
    settings = MixtureSettings(covariance_type="diag", reg_covar=1e-6, shrinkage=0.0)
    rule = {"settings": settings, "max_iter": 10, "tol": -1e9}
    for n_components in (8, 64, 1024):
        points = rng.normal(size=(4096, 6))
        labels = np.arange(4096) % n_components
        exact = torch.as_tensor(points)
        sharp = 1e6 * torch.eye(6).double()
        potential = Potential(exact @ sharp, sharp)
        posterior = DiagonalGaussian(exact, torch.full_like(exact, -30.0))
        gamma = torch.nn.functional.one_hot(torch.as_tensor(labels)).T.double()
        plain = GaussianMixture(
            n_components, covariance_type="diag", init_params="random", tol=0.0, max_iter=10
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            times = [
                100 * seconds_of(lambda g=gamma, p=potential: iterate_posteriors(p, g, **rule)),
                100 * seconds_of(lambda g=gamma, p=posterior: iterate_mixture(p, g, **rule)),
                100 * seconds_of(lambda m=plain, x=points: m.fit(x)),
            ]
        ratio = f"{times[2] / times[0]:.1f}"
        lines.append((n_components, *(f"{of:.1f}" for of in times), ratio))
    print_table(*lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--rows", default="", help="a part of the names of the rows to run")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--autocast", action="store_true")
    parser.add_argument("--fits", action="store_true")
    parser.add_argument("--mixtures", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    epochs(arguments.rows, arguments.rounds)
    if arguments.compiled:
        accelerated(arguments.rounds, compile=True)
    if arguments.autocast:
        accelerated(arguments.rounds, autocast=True)
    if arguments.fits:
        fits()
    if arguments.mixtures:
        mixtures()


if __name__ == "__main__":
    main()
