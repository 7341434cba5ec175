"""Kinds of fits that can be made in two parts."""

import networkx as nx
import numpy as np
import torch
from torch import nn

from skcausalpima import BackgroundKnowledge, GradientStructure, ScoreSearch
from skcausalpima.modules import ExpertDecoder, line

X_POINTS = np.linspace(0.0, 1.0, 4)


def conv_norm_dropout(shape, latent_dim):
    """An encoder whose buffers change, and that draws from PyTorch's own generator."""
    return nn.Sequential(
        nn.Unflatten(1, (1, *shape[:1])),
        nn.Conv2d(1, 2, (2, 1)),
        nn.Flatten(),
        nn.BatchNorm1d(8),
        nn.Dropout(0.3),
        nn.Linear(8, 2 * latent_dim),
    )


def given_module():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Dropout(0.3), nn.Linear(5, 4))
    module[1].bias.requires_grad_(False)
    return module


def decay(x, height, rate):
    return height * torch.exp(-rate * x)


CONFIGURATIONS = {
    "default": {},
    "one node": {"node_sizes": (4,)},
    "early stopping": {
        "training__validation_fraction": 0.2,
        "training__n_iter_no_change": 1,
        "training__tol": 0.5,
    },
    "best state": {
        "training__validation_fraction": 0.3,
        "training__tol": 0,
        "training__learning_rate": 0.05,
    },
    "gradient": {"structure": "gradient"},
    "fixed": {"structure": nx.DiGraph([("N2", "N1")])},
    "edges": {
        "knowledge": BackgroundKnowledge(required=[("N1", "N2")]),
        "structure": ScoreSearch(edge_penalty=0.01),
    },
    "tiers": {
        "structure": GradientStructure(temperature=0.5),
        "knowledge": BackgroundKnowledge(tiers=["N2", "N1"]),
    },
    "paper": {"init": "paper", "posterior": "mean_field", "mixture": "diag"},
    "factory": {"encoders": [conv_norm_dropout, None], "decoders": [None, "conv"]},
    "module": {
        "encoders": [given_module(), None],
        "training__validation_fraction": 0.2,
        "n_init": 2,
        "random_state": 1,  # of which the same start is the best after two epochs as after five
    },
    "expert": {"experts": [None, ExpertDecoder(line, X_POINTS)]},
    "bare function": {"experts": [None, line], "training__max_grad_norm": 1.0},
    "scatter": {"experts": [None, ExpertDecoder(decay, X_POINTS, [50.0, 0.1], scatter=True)]},
    "no refit": {"experts": [None, ExpertDecoder(line, X_POINTS, refit=False)]},
    "per sample": {"experts": [None, ExpertDecoder(line, X_POINTS, per="sample")]},
    "shared": {
        "experts": [None, ExpertDecoder(line, X_POINTS, depends_on={"slope": "N2"})],
        "decoder_variance": 0.3,
    },
    "no scaling": {"scale": ["feature", None], "mixture": "tied", "training__batch_size": 17},
}
