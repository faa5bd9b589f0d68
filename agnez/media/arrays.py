"""Arrays and tensors of any framework, which is never imported here: copied where they are, read later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def is_array(value: object) -> bool:
    """Tell whether a value is an array or a tensor."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def shape_of(value: Any) -> tuple[int, ...]:
    """Return the lengths of its dimensions."""
    return tuple(int(each) for each in value.shape)


def dtype_of(value: Any) -> str:
    """Return the name of the type of its numbers, without that of a framework."""
    return getattr(value.dtype, "name", None) or str(value.dtype).removeprefix("torch.")


def framework_of(value: object) -> str:
    """Return the name of the package that a value's type comes from."""
    return type(value).__module__.partition(".")[0]


def weight_of(value: Any) -> int:
    """Return about how many bytes its numbers take."""
    size = 1
    for each in value.shape:
        size *= int(each)
    return size * int(getattr(value.dtype, "itemsize", 4))


def copied(value: Any) -> object:
    """Copy what the user may change in place; a tensor stays on its device, and its device is not waited for."""
    framework = framework_of(value)
    if framework == "keras":
        value = value.value  # a variable; what is inside is the backend's
        framework = framework_of(value)
    if framework == "torch":
        return value.detach().clone()
    if framework == "tensorflow":
        return value.read_value() if hasattr(value, "read_value") else value
    if framework in ("jax", "jaxlib"):  # nothing changes it, but a jitted step may take its buffer over
        return value.copy()
    import numpy as np  # 60 ms that `import agnez` must not take

    return np.array(value)


def numbers(copy: Any) -> NDArray[Any]:
    """Return the numbers of a copy as an array of NumPy. It waits for the device."""
    import numpy as np

    if hasattr(copy, "cpu"):  # torch: NumPy knows no bfloat16, and reads no other memory than the processor's
        known = dtype_of(copy) in ("float16", "float32", "float64") or "float" not in dtype_of(copy)
        copy = copy.cpu().numpy() if known else copy.cpu().float().numpy()
    return np.asarray(copy)
