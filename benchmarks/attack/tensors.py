"""The parts below the estimator, which take tensors as they are: only a hang or a crash counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from attack.calls import Target, attacked
from attack.verdicts import Case

from skcausalpima import functional, modules
from skcausalpima.modules import ExpertDecoder, line


def _tensors() -> dict[str, torch.Tensor]:
    """Return what the functions work on: 6 samples, 3 components, 2 latent dimensions."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return {
        "means": normal(3, 2),
        "covariances": torch.eye(2).double().repeat(3, 1, 1),
        "gamma": normal(3, 6).softmax(dim=0),
        "posterior": functional.DiagonalGaussian(normal(6, 2), normal(6, 2)),
        "x": normal(6, 4),
        "curves": normal(3, 4),
        "density": normal(6, 3),
        "log_weights": normal(3).log_softmax(dim=0),
        "scores": normal(3),
        "metric": normal(3, 3).square(),
        "tables": normal(2, 2, 2),
        "edges": torch.triu(torch.rand(3, 3, generator=generator), 1).double(),
        "counts": normal(2, 2, 2).square(),
        "experts": normal(2, 6, 2),
        "mask": torch.ones(2, 6, dtype=torch.bool),
        "adjacency": torch.triu(torch.ones(3, 3, dtype=torch.bool), 1),
        "none": torch.zeros(3, 3, dtype=torch.bool),
    }


def _functions(t: dict[str, Any]) -> dict[str, tuple]:
    """Return the functions of tensors with right arguments by position."""
    statistics = functional.curve_statistics(t["x"], t["gamma"])
    mixture = functional.mixture_statistics(
        t["posterior"], t["gamma"], torch.zeros(2).double(), True
    )
    return {
        "cluster_squared_errors": (t["x"], t["curves"]),
        "constrain_edges": (t["edges"], t["none"], t["none"]),
        "curve_jacobian": (lambda p: p @ t["edges"], t["edges"]),
        "curve_squared_errors": (statistics, t["curves"]),
        "curve_statistics": (t["x"], t["gamma"]),
        "edge_indicator": (t["scores"], t["metric"], 1.0),
        "entropy": (t["posterior"].log_var,),
        "expected_log_density": (t["posterior"], t["means"], t["covariances"]),
        "gaussian_log_likelihood": (t["x"], t["x"], t["x"]),
        "isotropic_log_likelihood": (t["scores"], 4, t["scores"]),
        "joint_from_tables": ([t["counts"][0, 0]],),
        "log_joint": (t["tables"], t["edges"]),
        "log_responsibilities": (t["log_weights"], t["density"]),
        "mask_non_parents": (t["tables"], t["edges"]),
        "mixture_log_evidence": (t["log_weights"], t["density"]),
        "mixture_statistics": (t["posterior"], t["gamma"], torch.zeros(2).double(), True),
        "mixture_terms": (t["log_weights"], t["density"], t["density"]),
        "precede": (t["scores"], t["adjacency"]),
        "prepare_components": (t["means"], t["covariances"]),
        "product_of_experts": (t["experts"], t["experts"], t["mask"], True),
        "rsample": (t["posterior"], t["posterior"].mean),
        "set_nodes": (t["tables"], t["edges"], [0], [t["log_weights"][:2]]),
        "table_logits_to_probabilities": (t["tables"],),
        "tables_from_counts": (t["counts"], t["adjacency"], 1.0),
        "topological_order": (t["scores"],),
        "topological_positions": (t["adjacency"],),
        "update_mixture": (mixture, t["means"], t["covariances"], "full", 1e-6, 0.0, 1e-3),
    }


def _parts() -> dict[str, tuple]:
    """Return the parts with right arguments by position."""
    generator = torch.Generator().manual_seed(0)
    expert = ExpertDecoder(line, np.linspace(0, 1, 4))
    network = ((4, 4), 2, generator)
    return {
        "CausalPrior": ((2, 2), 2, True),
        "ClusterDecoder": (modules.MLPDecoder((4,), 2, (4,), generator), 3),
        "ClusterExpert": (expert, (4,), (2, 2), ("a", "b")),
        "ConvDecoder": network,
        "ConvEncoder": network,
        "MLPDecoder": ((4,), 2, (4,), generator),
        "MLPEncoder": ((4,), 2, (4,), generator),
        "PaperConvDecoder": network,
        "PaperConvEncoder": network,
        "SampleExpert": (expert, (4,), 2, generator),
        "ScaledExpert": (expert, (4,)),
        "exponential_decay": tuple(torch.ones(4).double() for _ in range(4)),
        "line": tuple(torch.ones(4).double() for _ in range(3)),
        "shared_entries": (expert, (2, 2), ("a", "b")),
        "weights_of_regimes": (torch.zeros(2, 3), torch.tensor([0, 1])),
    }


def _by_position(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **arguments: call(*arguments.values())


@cache
def targets() -> list[Target]:
    """Return a target for each function and part."""
    known = {name: (getattr(functional, name), a) for name, a in _functions(_tensors()).items()}
    known |= {name: (getattr(modules, name), a) for name, a in _parts().items()}
    found = []
    for name, (call, values) in known.items():
        arguments = {f"argument {k}": value for k, value in enumerate(values)}
        slots = tuple(k for k, v in arguments.items() if not isinstance(v, torch.Generator))
        made = _by_position(call)
        found.append(Target(name, made, lambda a=arguments: a, slots, 1.0, False, (Exception,)))
    return found


def case(rng: np.random.Generator) -> Case:
    """Draw a function or part and replace one or two of its arguments."""
    found = targets()
    return attacked(rng, found[rng.integers(len(found))])
