"""L2 norms of many tensors of PyTorch, on their devices and without waiting for one.

For each tensor of a list there is one fused operation at most; what comes out is one small vector.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_LOW_PRECISION = (torch.float16, torch.bfloat16)


def tensor_norms(tensors: Sequence[Tensor]) -> Tensor:
    """Return the norm of each tensor, as one vector of float64 (float32 where a device has none).

    Tensors may be of any dtype and on several devices: then the vector is on the first that is no CPU.
    """
    with torch.no_grad():
        groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
        for place, tensor in enumerate(tensors):
            groups.setdefault((tensor.device, tensor.dtype), []).append(place)
        found: list[Tensor] = [torch.empty(0)] * len(tensors)
        for (_, dtype), places in groups.items():
            for place, norm in zip(places, _fused([tensors[place] for place in places], dtype), strict=True):
                found[place] = norm
        devices = [device for device, _ in groups]
        home = next((device for device in devices if device.type != "cpu"), devices[0])
        if any(device != home for device in devices):
            # From a CPU to an accelerator, or between two of them: neither way does the host wait.
            found = [norm.to(home, non_blocking=True) for norm in found]
        return torch.stack(found).to(_widest(home))


def layer_norms(norms: Tensor, layers: Tensor, count: int) -> Tensor:
    """Combine the norms of tensors to `count` norms of layers and, last, the norm of all.

    `layers` has for each tensor the place of its layer; place `count` is of layers that are only part of the whole.
    """
    with torch.no_grad():
        squares = torch.zeros(count + 1, dtype=norms.dtype, device=norms.device)
        squares.index_add_(0, layers, norms.square())
        return torch.cat([squares[:count], squares.sum().reshape(1)]).sqrt()


def _fused(tensors: list[Tensor], dtype: torch.dtype) -> Sequence[Tensor]:
    if dtype in _LOW_PRECISION:  # a norm past 65,504 would be infinite in float16; reduced in float32, without a copy
        return [torch.linalg.vector_norm(each, dtype=torch.float32) for each in tensors]
    return torch._foreach_norm(tensors)


def _widest(device: torch.device) -> torch.dtype:
    """Return the dtype in which squares of norms overflow least."""
    return torch.float32 if device.type == "mps" else torch.float64
