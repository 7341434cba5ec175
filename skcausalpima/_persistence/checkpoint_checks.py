"""What a checkpoint must be, so that PyTorch and NumPy can go on from it.

Both trust what they are given here: fused Adam reads and writes moments at the length of their
parameter, generators read their state wherever a counter points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import TypeGuard

import numpy as np
import torch

from .._data.scaling import SCALES
from .._fit.checkpoint import STRUCTURE
from .._typing import Unchecked
from .value_checks import (
    TWISTER,
    Check,
    are_alike,
    either,
    has,
    is_a,
    is_alike,
    is_array,
    is_count,
    is_finite,
    is_list_of,
    is_ndarray,
    is_number,
    is_one_of,
    is_permutation,
    is_twister,
)

NOTHING = is_a(type(None))


def is_like_the_model(value: Unchecked, known: Mapping) -> bool:
    """Say whether it has the names, dtypes and shapes of the fitted model's numbers."""
    return are_alike(value, known["state"])


def are_moments(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is what Adam keeps of parameters, which it takes the shapes for granted of.

    A parameter that has not had a gradient yet has none.
    """
    has_moments = has(step=is_step, exp_avg=is_ndarray, exp_avg_sq=is_ndarray)
    state = known["state"]
    return type(value) is dict and all(
        name in state
        and has_moments(kept, known)
        and is_alike(kept["exp_avg"], state[name])
        and is_alike(kept["exp_avg_sq"], state[name])
        and bool(np.isfinite(kept["exp_avg"]).all())
        and bool((kept["exp_avg_sq"] >= 0).all())
        for name, kept in value.items()
    )


def is_step(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a number of steps as Adam counts them."""
    if not is_finite(value, "float32") or value.shape != ():
        return False
    return bool(value >= 1 and value % 1 == 0)


def are_terms(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is the terms of the bound after every epoch."""
    if type(value) is not list or (len(value),) != known["epochs"]:
        return False
    return all(
        type(of) is dict and all(type(k) is str and type(v) is float for k, v in of.items())
        for of in value
    )


def is_number_above_zero(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a positive finite number of any kind."""
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < math.inf


def are_scales(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a word, or none, for each modality."""
    if type(value) is not list or (len(value),) != known["modalities"]:
        return False
    return all(word is None or (type(word) is str and word in SCALES) for word in value)


def is_adjacency(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is rows of booleans, one row and column per node."""
    n_nodes = known["nodes"][0]
    if type(value) is not list or not is_list_of(is_list_of(is_a(bool)))(value, known):
        return False
    return len(value) == n_nodes and all(len(row) == n_nodes for row in value)


def is_numpy_state(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is what ``RandomState.get_state(legacy=False)`` returns."""
    whole = has(
        bit_generator=is_one_of("MT19937"),
        state=has(key=is_ndarray, pos=is_a(int)),
        has_gauss=is_a(int),
        gauss=is_a(float),
    )
    if type(value) is not dict or not whole(value, known):
        return False
    return is_twister(**value["state"], has_gauss=value["has_gauss"], gauss=value["gauss"])


def is_torch_state(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a state of PyTorch's generator on the CPU."""
    generator = torch.Generator()
    if not is_alike(value, generator.get_state().numpy()):
        return False
    try:
        generator.set_state(torch.from_numpy(value.copy()))
    except RuntimeError:
        return False
    # PyTorch looks at each of two counters alone: how many numbers are left, and which is next.
    # Together they must stay within the numbers, after which it makes new ones.
    left, following = int(value[8:12].view(np.int32)[0]), int(value[16:24].view(np.uint64)[0])
    return left + following <= TWISTER + 1 and bool(value[24 : 24 + 8 * TWISTER].any())


def is_cuda_state(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a state of PyTorch's generator on a GPU: a seed, and an offset."""
    if not isinstance(value, np.ndarray) or value.dtype != "uint8" or value.shape != (16,):
        return False
    return int(value[8:].view(np.uint64)[0]) % 4 == 0


def are_bytes(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a row of bytes."""
    return isinstance(value, np.ndarray) and value.dtype == "uint8" and value.ndim == 1


def are_cells(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a row of numbers of cells."""
    return are_rows(value, known) and int(value.max(initial=0)) < math.prod(known["grid"])


def are_rows(value: Unchecked, known: Mapping) -> TypeGuard[np.ndarray]:
    """Say whether it is a row of integers from 0."""
    if not isinstance(value, np.ndarray) or value.dtype != "int64" or value.ndim != 1:
        return False
    return bool((value >= 0).all())


def are_flags(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a row of booleans."""
    return isinstance(value, np.ndarray) and value.dtype == "bool" and value.ndim == 1


def are_shares(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a row of numbers from 0 to 1."""
    if not is_finite(value, "float64") or value.ndim != 1:
        return False
    return bool(((value >= 0) & (value <= 1)).all())


#: Where training stands: see :class:`Checkpoint`.
CHECKPOINT: dict[str, Check] = {
    "model": is_like_the_model,
    "temperature": is_number_above_zero,
    "moments": are_moments,
    "draws": has(
        generator=is_torch_state,
        numpy=is_numpy_state,
        # Nothing where all modules are ours, which draw from the fit's own generator.
        modules=either(
            has(),
            has(
                frozenset({"cuda", "mps"}),
                cpu=is_torch_state,
                cuda=is_cuda_state,
                mps=are_bytes,
            ),
        ),
    ),
    "stopper": either(
        has(
            best=is_number(),
            waited=is_count,
            best_state=is_like_the_model,
            best_temperature=is_number_above_zero,
        ),
        has(best=is_number(), waited=is_count, best_state=NOTHING, best_temperature=NOTHING),
    ),
    "history": are_terms,
    "seen": has(
        n_steps=is_count,
        spread=is_number(low=0.0),
        labels=either(are_cells, NOTHING),
        label_changes=are_shares,
    ),
    "start": either(has(cells=are_cells, held=are_flags, rows=either(are_rows, NOTHING)), NOTHING),
    "order": either(is_permutation, NOTHING),
    "data": is_a(str),
    "settings": has(
        **{
            "scale": are_scales,
            "decoder_variance": either(is_number_above_zero, is_one_of("learned", "predicted")),
            STRUCTURE: either(is_adjacency, is_one_of("learned")),
        }
    ),
}

#: What partial_fit goes on from.
ARRIVALS = has(
    counts=is_array("float64", "components", low=0.0),
    n_elements=is_array("float64", "modalities", low=0.0),
    shrinkage=is_number(low=0.0),
    reg_covar=is_number(low=0.0),
    settings=CHECKPOINT["settings"],
    n_calls=is_count,
    moments=are_moments,
)
