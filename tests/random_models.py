"""Models with random parameters, data for them, and what training asks of both."""

from dataclasses import replace

import numpy as np
import torch
from small_models import small_settings, small_spec

from skcausalpima._data.known_nodes import allowed_cells
from skcausalpima._model.build import build_model
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.block_update import BlockUpdate, data_pass, variance_floors
from skcausalpima.modules import Batch

NAMES = ("image", "curve")
REGIMES = [(), (1,), (0, 1)]


def seed(number=0):
    return torch.Generator().manual_seed(number)


def make_data(missing=False):
    rng = np.random.default_rng(0)
    group = rng.integers(4, size=90)
    arrays = [
        rng.normal(size=(90, 6)) + 2.0 * (group // 2)[:, None],
        rng.normal(size=(90, 4)) - 2.0 * (group % 2)[:, None],
    ]
    observed = None
    if missing:
        observed = np.ones((2, 90), dtype=bool)
        observed[0, :20] = observed[1, 30:50] = False
        arrays = [array * seen[:, None] for array, seen in zip(arrays, observed, strict=True)]
        observed = torch.as_tensor(observed)
    return TensorData(Batch(tuple(map(torch.as_tensor, arrays)), observed), torch.float64)


def make_model(covariance_type="full", **options):
    """A model in the middle of nowhere: every parameter random."""
    full = covariance_type in ("full", "tied")
    defaults = {"full_covariances": full, "modality_weights": (1.0, 2.0)}
    model = build_model(small_spec(((3, 2), (4,)), **(defaults | options)), seed(1))
    model.name_modalities(NAMES)
    with torch.no_grad():
        model.prior.means.normal_(generator=seed(2))
        model.prior.table_logits.normal_(generator=seed(3))
    return model


def block_update(floors, adjacency=None, **mixture):
    return BlockUpdate(
        mixture=small_settings(**mixture).mixture,
        generator=seed(),
        variance_floors=floors,
        adjacency=adjacency,
    )


def swapped(update, model, data):
    """Make a pass with the same draws each time, and swap."""
    return replace(update, generator=seed(7))(model, data)


def set_decoder_variances(model, data):
    block_update(variance_floors(data)).decoder_variances(model, data)


def objective(model, data, number=7):
    return data_pass(model, data, seed(number)).terms["objective"]


def intervene(data, model, known):
    """Say that some nodes were set; to what, if that is known."""
    numbers = torch.arange(data.n_samples) % 3
    data = replace(data, samples=replace(data.samples, regime_index=numbers[None]))
    model.prior.set_interventions(REGIMES)
    if not known:
        counts = np.random.default_rng(1).uniform(1, 9, (3, 4))
        model.prior.set_interventions(REGIMES, torch.as_tensor(counts))
        return data
    outcomes = np.full((data.n_samples, 2), -1)
    for number, nodes in enumerate(REGIMES):
        for node in nodes:
            outcomes[numbers == number, node] = np.arange(data.n_samples)[numbers == number] % 2
    allowed = torch.as_tensor(allowed_cells(outcomes, (2, 2)))
    return replace(data, samples=replace(data.samples, allowed=allowed))


def own_model(**options):
    """Networks per cluster for the images, a network with variances for the curves."""
    words = {"decoders": ["cluster_mlp", None], "predict_variances": [False, True]}
    model = make_model(**(words | options))
    generator = seed(9)
    with torch.no_grad():
        for parameter in model.decoders.parameters():
            parameter.normal_(std=0.5, generator=generator)
        model.decoders[0].log_variances.normal_(generator=generator)
    return model.eval()
