"""Private names of PyTorch."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from torch import _standard_gamma as standard_gamma
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.nn.modules.batchnorm import _NormBase as NormBase
from torch.nn.modules.dropout import _DropoutNd as Dropout
from torch.utils._python_dispatch import TorchDispatchMode


def timeout_of(group: Any) -> timedelta:
    """Return how long ranks of a process group wait for each other on CPUs."""
    return group._get_backend(torch.device("cpu")).options._timeout
