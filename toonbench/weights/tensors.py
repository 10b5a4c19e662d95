"""Files of tensors (.pt, .pth, .safetensors) of any origin, read without running anything that they hold.

A PyTorch file is a pickle, which could run code. Only PyTorch's restricted reader is used: tensors, numbers, texts and
containers of them. There is no other way to read a file, and no message proposes one.
"""

from __future__ import annotations

import functools
import pickle
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from torch import Tensor

PREFIXES = ("module.", "_orig_mod.")  # added by DataParallel and by torch.compile
NUMBERS = {
    "f8": "d",
    "f4": "f",
    "f2": "e",
    "i8": "q",
    "i4": "i",
    "i2": "h",
    "i1": "b",
    "u8": "Q",
    "u4": "I",
    "u2": "H",
    "u1": "B",
    "b1": "?",
}
WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "network", "net")
OBJECTS = "it is damaged, or holds more than plain tensors and numbers, and is not loaded"
PROGRAM = "it is a TorchScript archive, which holds a program, and is not loaded; look for a .safetensors file"


class UnreadableTensors(ToonbenchError):
    """The reason why a file cannot be read as tensors, without the name of the file; `advised` if it says what to do."""

    def __init__(self, reason: str, *, advised: bool = False) -> None:
        super().__init__(reason)
        self.advised = advised

    def with_advice(self, advice: str) -> str:
        """The reason with what to do: its own advice, or else this one."""
        return str(self) if self.advised else f"{self}; {advice}"


def read_content(path: Path, *, device: str = "cpu") -> Any:
    """What a file of tensors holds: tensors, numbers and texts in dicts and lists. The format is found by the content.

    Raises UnreadableTensors for a missing or damaged file, for one that holds anything else, and for one that is a Git
    LFS pointer or a web page.
    """
    head = _head(path)
    content = (
        _read_safetensors(path, device=device) if _is_safetensors(path, head) else _read_torch(path, device=device)
    )
    _check(content)
    return content


def named_tensors(content: Any) -> dict[str, Tensor]:
    """The tensors by name in the content of a file; keys of trainers around it and prefixes of its names are dropped.

    Raises UnreadableTensors if the content is anything else.
    """
    import torch

    state = unwrapped(content)
    if not isinstance(state, dict):
        raise UnreadableTensors(f"it holds a {type(state).__name__} instead of tensors by name")
    if not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UnreadableTensors("it holds something else than tensors by name")
    return without_prefixes(cast("dict[str, Tensor]", state))


def unwrapped(content: Any, *, until: str = "") -> Any:
    """The state dict in a trainer's checkpoint: the value of the one key of WRAPPERS, as often as there is exactly one.

    A dict that has the key `until`, or a tensor, is not unwrapped further.
    """
    import torch

    while isinstance(content, dict):
        inner = cast("dict[Any, Any]", content)
        found = [key for key in WRAPPERS if isinstance(inner.get(key), dict)]
        if len(found) != 1 or until in inner or any(isinstance(value, torch.Tensor) for value in inner.values()):
            break
        content = inner[found[0]]
    return content


def without_prefixes(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state dict without the prefixes that all its names have in front: `module.`, `_orig_mod.`, or both."""
    found = dict(state)
    while found and (prefix := next((one for one in PREFIXES if all(str(key).startswith(one) for key in found)), "")):
        found = {str(key).removeprefix(prefix): value for key, value in found.items()}
    return found


def file_reason(path: Path) -> str:
    """Why a file cannot be weights of any format, by its beginning: missing, empty, a Git LFS pointer, a web page; or empty."""
    try:
        _head(path)
    except UnreadableTensors as error:
        return str(error)
    return ""


def _head(path: Path) -> bytes:
    from toonbench.video.files import disguise, head_of

    if not path.is_file():
        raise UnreadableTensors("there is no such file" if not path.exists() else "it is not a file")
    try:
        head = head_of(path)
    except OSError as error:
        raise UnreadableTensors(f"{error.strerror}: check its permissions", advised=True) from error
    if not head:
        raise UnreadableTensors("it is empty (0 bytes)")
    if what := disguise(head):
        raise UnreadableTensors(f"it {what}", advised=True)
    return head


def _is_safetensors(path: Path, head: bytes) -> bool:
    """By the content: a length of 8 bytes and a JSON object; otherwise by the suffix, unless it is a file of PyTorch."""
    if head.startswith((b"PK\x03\x04", b"\x80")):
        return head[8:9] == b"{" and path.suffix == ".safetensors"
    return head[8:9] == b"{" or path.suffix == ".safetensors"


def _read_safetensors(path: Path, *, device: str) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    try:
        return load_file(str(path), device=device)
    except Exception as error:  # a damaged header may fail in any way
        raise UnreadableTensors(f"it is damaged or cut off: {first_line(error)}") from error


def _read_torch(path: Path, *, device: str) -> Any:
    import torch

    try:
        with (
            path.open("rb") as file,
            warnings.catch_warnings(),
        ):  # about old formats and odd types, which are read or refused
            warnings.simplefilter("ignore")
            with torch.serialization.safe_globals(NUMPY_SCALARS):
                return torch.load(file, map_location=device, weights_only=True)
    except MemoryError as error:
        raise UnreadableTensors("it states sizes that do not fit into the memory, and is probably damaged") from error
    except Exception as error:  # a damaged pickle may fail in any way
        reason = _torch_reason(error)
        raise UnreadableTensors(reason, advised=reason == PROGRAM) from error


class _NumberType:
    """What a pickle of a NumPy number says of its type, in place of `numpy.dtype`: nothing of NumPy is called."""

    def __init__(self, code: object, *_: object) -> None:
        self.code = str(code)
        self.order = "="

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(cast("tuple[object, ...]", state)) > 1 and state[1] in ("<", ">"):
            self.order = str(cast("object", state[1]))


def _number(kind: object, data: object) -> float:
    """A NumPy number of a pickle as a number of Python's, in place of NumPy's `scalar`, which can make other objects."""
    if not (isinstance(kind, _NumberType) and isinstance(data, bytes) and kind.code in NUMBERS):
        raise pickle.UnpicklingError("a NumPy scalar that is not a number")
    order = "<" if kind.order == "=" else kind.order
    return struct.unpack(f"{order}{NUMBERS[kind.code]}", data)[0]


def _stand_in(thing: Any, module: str, name: str) -> Any:
    """A copy of a function or class under the name that a pickle has for it."""
    copied: Any = type(name, (thing,), {}) if isinstance(thing, type) else functools.partial(thing)
    copied.__module__, copied.__qualname__ = module, name
    return copied


# Old checkpoints of trainers may hold the loss as a NumPy number. Names in pickles of NumPy before 2 and since.
NUMPY_SCALARS = [
    _stand_in(_NumberType, "numpy", "dtype"),
    _stand_in(_number, "numpy.core.multiarray", "scalar"),
    _stand_in(_number, "numpy._core.multiarray", "scalar"),
]


def _torch_reason(error: Exception) -> str:
    """The reason in words of ours where PyTorch would propose to run what the file holds."""
    text = str(error)
    if "TorchScript" in text:
        return PROGRAM
    if isinstance(error, pickle.UnpicklingError) or "weights_only" in text or "pickle" in text.lower():
        return OBJECTS
    return f"it is damaged or cut off: {first_line(error)}"


def _check(content: Any) -> None:
    """Refuse what only looks like tensors: without values, sparse, quantised; and objects of any other kind."""
    import torch

    waiting, visited = [content], set[int]()
    while waiting:
        one = waiting.pop()
        if isinstance(one, (dict, list, tuple, set, frozenset)):
            if id(one) in visited:
                continue
            visited.add(id(one))
            held = cast("Any", one)
            waiting += [*held.keys(), *held.values()] if isinstance(one, dict) else [*held]
        elif isinstance(one, torch.Tensor):
            if one.is_meta or one.is_quantized or one.layout != torch.strided or one.is_nested:
                raise UnreadableTensors("it holds tensors of a kind without plain values (sparse, quantised or empty)")
        elif not isinstance(one, (str, bytes, int, float, complex, type(None), torch.dtype, torch.Size, torch.device)):
            raise UnreadableTensors(OBJECTS)


def first_line(error: BaseException) -> str:
    """The first sentence of an error's message, at most 160 characters of it, or its type."""
    text = str(error).strip()
    return text.splitlines()[0].split(". ")[0][:160].rstrip(".") if text else type(error).__name__
