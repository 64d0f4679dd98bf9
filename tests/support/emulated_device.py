"""A device that is not there: tensors on the CPU that behave as strictly as a GPU's.

    device = EmulatedDevice()
    with device.running():
        model = device.move(module)

Inside `running`, everything made with device=DEVICE is such a tensor. DEVICE is torch's "meta": of the types that
need no hardware, the one without values of its own. An operation on tensors of both places raises as on a GPU.
Counted are kernels (operations that compute, a few of them as several), copies to the device, and
synchronisations: wherever the host must wait to know a value or a size. Each is kept with the line of ptp_core
that it comes from. Counts hold for this code; they are no times.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
# No kernel starts: the result is another look at the same memory, or memory that nobody has written yet.
_VIEWS = {
    *("alias", "as_strided", "detach", "diagonal", "expand", "narrow", "permute", "select", "slice", "split"),
    *("split_with_sizes", "squeeze", "t", "transpose", "unbind", "unfold", "unsafe_split", "unsqueeze", "view"),
    *("_unsafe_view", "_reshape_alias", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"),
    *("lift_fresh", "resize_"),
}
_SEVERAL = {"sort": 4, "topk": 3, "nonzero": 3, "unique_dim": 6, "_unique2": 6, "multinomial": 4}
_SIZED_BY_DATA = {"nonzero", "_unique2", "unique_dim", "unique_consecutive", "masked_select", "repeat_interleave"}
_INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}


class DeviceTensor(Tensor):
    """A tensor on the emulated device; `inner` holds its values on the CPU."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> DeviceTensor:
        made = Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
            device=DEVICE,
        )  # fmt: skip
        made.inner = inner
        return made

    def __init__(self, inner: Tensor) -> None:
        pass

    def __repr__(self) -> str:
        return f"DeviceTensor({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if EmulatedDevice.current is None:
            raise RuntimeError(f"{func} on the emulated device, which is not running.")
        return EmulatedDevice.current.run(func, args, kwargs or {})


class EmulatedDevice:
    """Counters by place, {"file.py:line": count}, and how to run on the device."""

    current: EmulatedDevice | None = None

    def __init__(self) -> None:
        self.kernels: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()
        self.syncs: Counter[str] = Counter()

    def reset(self) -> None:
        for counter in (self.kernels, self.copies, self.syncs):
            counter.clear()

    @property
    def counts(self) -> tuple[int, int, int]:
        """Kernels, copies to the device, synchronisations."""
        return self.kernels.total(), self.copies.total(), self.syncs.total()

    @contextmanager
    def running(self) -> Iterator[EmulatedDevice]:
        inference = torch._C._InferenceMode
        torch._C._InferenceMode = _NoGrad  # tensors of a kind of their own have no inference mode
        EmulatedDevice.current = self
        try:
            with _Factories(self), _Dispatch(self):
                yield self
        finally:
            EmulatedDevice.current = None
            torch._C._InferenceMode = inference

    def put(self, tensor: Tensor) -> Tensor:
        """The tensor on the device, uncounted."""
        return tensor if isinstance(tensor, DeviceTensor) else DeviceTensor(tensor.detach().clone())

    def move(self, module: nn.Module) -> Any:
        """Moves a module's parameters and buffers, in place and uncounted; returns it. Tied ones stay tied."""
        moved: dict[int, Tensor] = {}
        for part in module.modules():
            for name, parameter in part._parameters.items():
                if parameter is not None:
                    if id(parameter) not in moved:
                        new = nn.Parameter(self.put(parameter), requires_grad=parameter.requires_grad)
                        moved[id(parameter)] = new
                    part._parameters[name] = moved[id(parameter)]  # type: ignore[assignment]
            for name, buffer in part._buffers.items():
                if buffer is not None:
                    part._buffers[name] = self.put(buffer)
        return module

    def run(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """One operation of torch, on tensors of either place."""
        name = func._schema.name.removeprefix("aten::")
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        ours = [t for t in tensors if isinstance(t, DeviceTensor)]
        if name == "_to_copy":
            return self._to_copy(func, args[0], kwargs)
        if name == "copy_":
            return self._copy(args[0], args[1])
        if not ours and not _is_ours(kwargs.get("device")):
            return func(*args, **kwargs)
        if name == "_fused_sdp_choice":
            return 0  # the kernel that is made of plain operations
        if name == "_local_scalar_dense":
            self.syncs[_place()] += 1
            return func(ours[0].inner)
        self._check(name, func, ours, tensors)
        generator = next((x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Generator)), None)
        if generator is not None and generator.device.type == "cpu":
            raise RuntimeError(f"Expected a device's generator but found the CPU's: {func} at {_place()}")
        if _is_ours(kwargs.get("device")):
            kwargs = {**kwargs, "device": torch.device("cpu")}
        self._count(name, args)
        out = func(*tree_map(_inner, args), **tree_map(_inner, kwargs))
        wrapped = tree_map(lambda x: DeviceTensor(x) if isinstance(x, Tensor) else x, out)
        return return_and_correct_aliasing(func, args, kwargs, wrapped) if ours else wrapped

    def _check(self, name: str, func: Any, ours: list[Any], tensors: list[Tensor]) -> None:
        """A tensor of the host's with more than one value may meet one of the device's as an index only."""
        theirs = [t for t in tensors if not isinstance(t, DeviceTensor) and t.dim()]
        if theirs and name in _INDEXING and isinstance(tensors[0], DeviceTensor):
            self.syncs[_place()] += len(theirs)
        elif theirs and ours:
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but found two, the device and the CPU! "
                f"({func} at {_place()})"
            )

    def _count(self, name: str, args: Any) -> None:
        if name not in _VIEWS:
            self.kernels[_place()] += _SEVERAL.get(name, 1)
        by_mask = name in _INDEXING and any(getattr(t, "dtype", None) == torch.bool for t in tree_leaves(args[1:]))
        if name in _SIZED_BY_DATA or by_mask:
            self.syncs[_place()] += 1

    def _to_copy(self, func: Any, source: Tensor, kwargs: dict[str, Any]) -> Tensor:
        wanted = kwargs.get("device")
        rest = {key: value for key, value in kwargs.items() if key != "device"}
        goes = _is_ours(wanted) if wanted is not None else isinstance(source, DeviceTensor)
        out = func(_inner(source), **rest)
        if isinstance(source, DeviceTensor):
            if goes:
                self.kernels[_place()] += 1
            else:
                self.syncs[_place()] += 1
        elif goes:
            self.copies[_place()] += 1
        return DeviceTensor(out) if goes else out

    def _copy(self, target: Tensor, source: Tensor) -> Tensor:
        _inner(target).copy_(_inner(source))
        kinds = isinstance(target, DeviceTensor), isinstance(source, DeviceTensor)
        counter = {(True, True): self.kernels, (True, False): self.copies, (False, True): self.syncs}.get(kinds)
        if counter is not None:
            counter[_place()] += 1
        return target


class _NoGrad:
    def __init__(self, mode: bool = True) -> None:
        self._mode = mode

    def __enter__(self) -> None:
        self._before = torch.is_grad_enabled()
        if self._mode:
            torch.set_grad_enabled(False)

    def __exit__(self, *exception: object) -> None:
        torch.set_grad_enabled(self._before)


class _Dispatch(TorchDispatchMode):
    """Sees what is made on the device: there no tensor is an argument yet."""

    def __init__(self, device: EmulatedDevice) -> None:
        super().__init__()
        self._device = device

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._device.run(func, args, kwargs or {})


class _Factories(TorchFunctionMode):
    """What reaches into memory below the dispatcher: making tensors of Python's values, and reading them."""

    def __init__(self, device: EmulatedDevice) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor, torch.asarray):
            device = kwargs.pop("device", None)
            if isinstance(args[0], DeviceTensor):
                return args[0].to(**kwargs) if device is None else args[0].to(device, **kwargs)
            made = func(*args, **kwargs)
            return made.to(device) if _is_ours(device) else made
        if args and isinstance(args[0], DeviceTensor):
            if func is Tensor.tolist:
                self._device.syncs[_place()] += 1
                return args[0].inner.tolist()
            if func is Tensor.numpy:
                raise TypeError(f"can't convert a device's tensor to numpy at {_place()}")
            if func in (Tensor.__getitem__, Tensor.__setitem__):
                args = (args[0], _indices(args[1], self._device), *args[2:])
        return func(*args, **kwargs)


def _indices(index: Any, device: EmulatedDevice) -> Any:
    """Lists in an index become tensors on the device by way of a copy that the host waits for."""
    if isinstance(index, tuple):
        return tuple(_indices(part, device) for part in index)
    if isinstance(index, list):
        device.syncs[_place()] += 1
        return DeviceTensor(torch.tensor(index))
    return index


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, DeviceTensor) else value


def _is_ours(device: Any) -> bool:
    return device is not None and torch.device(device).type == DEVICE.type


def _place() -> str:
    """The innermost line of ptp_core that is running."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if "/ptp_core/" in frame.f_code.co_filename:
            return f"{frame.f_code.co_filename.rpartition('/ptp_core/')[2]}:{frame.f_lineno}"
        frame = frame.f_back
    return "elsewhere"
