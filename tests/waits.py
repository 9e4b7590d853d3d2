"""Finds what a GPU would be waited for, without one."""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

#: Operations whose result, or its size, a GPU must have computed before the next can be asked for;
#: and `lift_fresh`, which is in what makes tensors of numbers of the host.
_WAITING = {
    "_local_scalar_dense", "nonzero", "_unique", "_unique2", "unique_dim", "unique_consecutive",
    "unique_dim_consecutive", "masked_select", "bincount", "equal", "repeat_interleave", "one_hot",
    "is_nonzero", "lift_fresh",
}  # fmt: skip


class Waits(TorchDispatchMode):
    """Notes operations for which a GPU would be waited for."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        masks = name in {"index", "index_put", "index_put_", "_index_put_impl_"} and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]
        )
        if name in _WAITING or masks:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


class Reads(TorchFunctionMode):
    """Notes reads of whole tensors, which are no operations of torch's dispatcher."""

    def __init__(self, found):
        super().__init__()
        self.found = found

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if getattr(func, "__name__", "") in {"tolist", "cpu", "numpy"}:
            self.found.append(func.__name__)
        return func(*args, **(kwargs or {}))
