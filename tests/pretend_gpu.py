"""A device that is not there: tensors that say "meta", and compute on the CPU."""

from contextlib import ExitStack, contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

from skcausalpima._inference import kept_models
from skcausalpima._model import setup, surroundings

DEVICE = torch.device("meta")
ATEN = torch.ops.aten

#: What takes numbers of rows from another device, as on CUDA.
INDEXED = {ATEN.index.Tensor, ATEN.index_put.default, ATEN.index_put_.default}
INDEXED |= {ATEN._unsafe_index.Tensor, ATEN._index_put_impl_.default}


class Pretended(torch.Tensor):
    """A tensor on that device; ``inner`` is on the CPU."""

    has_double = True

    @staticmethod
    def __new__(cls, inner):
        if not cls.has_double and inner.dtype in (torch.float64, torch.complex128):
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
            requires_grad=inner.requires_grad,
        )

    def __init__(self, inner):
        self.inner = inner

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __repr__(self, **options):
        return f"Pretended({self.inner})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return computed(func, args, kwargs or {})


def is_there(device):
    return device is not None and torch.device(device).type == "meta"


def computed(func, args, kwargs):
    flat = pytree.tree_leaves((args, kwargs))
    here = any(isinstance(value, Pretended) for value in flat)
    asked = kwargs.get("device")
    if func is torch.ops.aten.copy_.default:
        here = isinstance(args[0], Pretended)
    elif here and func is not torch.ops.aten._to_copy.default:
        others = [v for v in flat if isinstance(v, torch.Tensor) and not isinstance(v, Pretended)]
        if any(other.ndim for other in others) and func not in INDEXED:
            raise RuntimeError(f"{func}: Expected all tensors to be on the same device")
    inner_args, inner_kwargs = pytree.tree_map_only(
        Pretended, lambda tensor: tensor.inner, (args, dict(kwargs))
    )
    if asked is not None:
        here, inner_kwargs["device"] = is_there(asked), torch.device("cpu")
    found = func(*inner_args, **inner_kwargs)
    if not here:
        return found
    found = pytree.tree_map_only(torch.Tensor, Pretended, found)
    if asked is not None:
        return found
    return return_and_correct_aliasing(func, args, kwargs, found)


def indices(index):
    """Return an index whose numbers are there: PyTorch moves them without dispatching anything."""
    if isinstance(index, tuple):
        return tuple(map(indices, index))
    if isinstance(index, (list, range, torch.Tensor)) and not isinstance(index, Pretended):
        tensor = isinstance(index, torch.Tensor)
        return Pretended(index if tensor else torch.tensor([*index], dtype=torch.int64))
    return index


class OnDispatch(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return computed(func, args, kwargs or {})


class OnCall(TorchFunctionMode):
    """Moves tensors there, which PyTorch refuses before it dispatches anything."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        indexes = func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__)
        if indexes and isinstance(args[0], Pretended):
            return func(args[0], indices(args[1]), *args[2:])
        if func is torch.Tensor.tolist and isinstance(args[0], Pretended):
            return args[0].inner.tolist()
        if func is torch.Tensor.new_tensor and isinstance(args[0], Pretended):
            return Pretended(torch.tensor(*args[1:], **({"dtype": args[0].dtype} | kwargs)))
        if func is not torch.Tensor.to:
            if func in (torch.as_tensor, torch.tensor) and is_there(kwargs.get("device")):
                made = func(*args, **{k: v for k, v in kwargs.items() if k != "device"})
                return made if isinstance(made, Pretended) else Pretended(made)
            return func(*args, **kwargs)
        tensor, asked = args[0], [*args[1:], *kwargs.values()]
        like = [value for value in asked if isinstance(value, torch.Tensor)]
        devices = [value for value in asked if isinstance(value, (str, torch.device))]
        dtypes = [value for value in asked if isinstance(value, torch.dtype)]
        devices += [value.device for value in like]
        dtypes += [value.dtype for value in like]
        if not any(map(is_there, devices)):
            return func(*args, **kwargs)
        plain = tensor.inner if isinstance(tensor, Pretended) else tensor
        if isinstance(tensor, Pretended) and (not dtypes or dtypes[0] == tensor.dtype):
            return tensor
        moved = Pretended(plain.detach().to(dtypes[0]) if dtypes else plain.detach())
        return moved.requires_grad_(tensor.requires_grad and moved.is_leaf)


@contextmanager
def pretended_gpu(monkeypatch, has_double=False):
    """Let PyTorch have such a device in the block; without double precision it is like a Mac's."""
    with ExitStack() as stack:
        patch = stack.enter_context(monkeypatch.context())
        patch.setattr(Pretended, "has_double", has_double)
        patch.setattr(setup, "resolve_device", lambda device, needs_double: DEVICE)
        patch.setattr(kept_models, "prediction_device", lambda device: DEVICE)
        patch.setattr(surroundings, "SINGLE_ONLY", set() if has_double else {"meta"})
        stack.enter_context(OnCall())
        stack.enter_context(OnDispatch())
        yield
