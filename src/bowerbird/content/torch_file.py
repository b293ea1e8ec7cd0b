"""A reader of torch weight files that cannot run code and does not need torch.

A ``.pth`` file is a stack-machine program (a pickle) followed by raw numbers; run by the usual
interpreter, such a program can call any function. Here the program is walked instruction by
instruction by a small machine of our own. It knows how to make numbers, texts, tuples, dicts and
*references* to tensors, and nothing else: a name it does not know is refused, nothing is called.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from bowerbird.errors import InputError

Weights: TypeAlias = dict[str, np.ndarray]
"""Tensor name to array."""

_MAGIC = 0x1950A86A20F9469CFC6C
"""First number of a torch file in the form older than zip."""

_STORAGE_TYPES = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch LongStorage": np.dtype("<i8"),
    "torch IntStorage": np.dtype("<i4"),
}
_TENSOR = "torch._utils _rebuild_tensor_v2"
_DICT = "collections OrderedDict"


def read_torch_weights(path: Path) -> Weights:
    """The tensors of a ``.pth`` state dict in torch's older, non-zip form, as NumPy arrays.

    The file holds five programs (magic number, protocol, facts about the machine, the state dict,
    the storage keys) and then, for each key, an int64 count and the raw little-endian values.

    Raises:
        InputError: the file has another form, is truncated, or asks for anything but tensors.

    Source: torch/serialization.py, ``_legacy_save``, for the form; written anew.
    """
    try:
        with path.open("rb") as file:
            return _weights(file)
    except (KeyError, IndexError, AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: not a readable torch state dict of the older, non-zip form: {error}; "
            "install the package again, or save the weights as safetensors"
        ) from error


@dataclass(frozen=True, slots=True)
class _Name:
    text: str


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Machine:
    """The stack machine: one method for each instruction a state dict needs."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: BufferedReader) -> Any:
        """What the program that starts here leaves on the stack."""
        for instruction, argument, _ in pickletools.genops(file):
            name = instruction.name
            if name == "STOP":
                return self.stack.pop()
            if name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name]())
            elif name in _LITERALS:
                self.stack.append(argument)
            elif name in _ACTIONS:
                _ACTIONS[name](self, argument)
            else:
                raise InputError(f"instruction {name} is not needed for tensors and is refused")
        raise InputError("the program ends without STOP; the file is truncated")

    def items_since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def push_name(self, text: str) -> None:
        if text not in (_TENSOR, _DICT) and text not in _STORAGE_TYPES:
            raise InputError(
                f"the file asks for {text.replace(' ', '.')}; only tensors are allowed, it is refused"
            )
        self.stack.append(_Name(text))

    def push_reference(self, _: object) -> None:
        kind, storage_type, key, _location, count, *_rest = self.stack.pop()
        if kind != "storage":
            raise InputError(f"the file refers to a {kind!r}; expected a storage")
        self.stack.append(_Storage(str(key), _STORAGE_TYPES[storage_type.text], int(count)))

    def make(self, _: object) -> None:
        """Make a dict or a tensor reference: the two things a state dict makes by name."""
        arguments = self.stack.pop()
        name = self.stack.pop().text
        if name == _DICT:
            self.stack.append({})
        elif name == _TENSOR:
            storage, offset, shape, strides, *_rest = arguments
            self.stack.append(_Tensor(storage, offset, tuple(shape), tuple(strides)))
        else:
            raise InputError(f"the file calls {name}; it is refused")

    def forget_state(self, _: object) -> None:
        """Drop the attributes of a state dict (its ``_metadata``): they hold no tensors."""
        self.stack.pop()

    def set_items(self, items: list[Any]) -> None:
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def extend_list(self, items: list[Any]) -> None:
        self.stack[-1].extend(items)

    def set_item(self, _: object) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1][key] = value

    def tuple_of(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.stack.append(items)


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
}
_LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "BINFLOAT"}
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda _machine, _version: None,
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "BINPUT": lambda machine, place: machine.memo.__setitem__(place, machine.stack[-1]),
    "LONG_BINPUT": lambda machine, place: machine.memo.__setitem__(place, machine.stack[-1]),
    "BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "LONG_BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.items_since_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "SETITEM": _Machine.set_item,
    "SETITEMS": lambda machine, _: machine.set_items(machine.items_since_mark()),
    "APPEND": lambda machine, _: machine.stack[-2].append(machine.stack.pop()),
    "APPENDS": lambda machine, _: machine.extend_list(machine.items_since_mark()),
    "GLOBAL": _Machine.push_name,
    "BINPERSID": _Machine.push_reference,
    "REDUCE": _Machine.make,
    "BUILD": _Machine.forget_state,
}


def _weights(file: BufferedReader) -> Weights:
    magic = _Machine().run(file)
    if magic != _MAGIC:
        raise InputError(f"magic number is {magic!r}, expected {_MAGIC:#x}")
    _Machine().run(file)  # protocol version
    _Machine().run(file)  # facts about the machine that wrote it
    tensors = {name: value for name, value in _Machine().run(file).items() if isinstance(value, _Tensor)}
    keys = [str(key) for key in _Machine().run(file)]
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    values = {key: _values(file, storages[key]) for key in keys}
    return {name: _resolved(tensor, values[tensor.storage.key], name) for name, tensor in tensors.items()}


def _values(file: BufferedReader, storage: _Storage) -> np.ndarray:
    count = int.from_bytes(file.read(8), "little")
    if count != storage.count:
        raise InputError(f"storage {storage.key} holds {count} values, expected {storage.count}")
    raw = file.read(count * storage.dtype.itemsize)
    if len(raw) != count * storage.dtype.itemsize:
        raise InputError(f"the file is truncated inside storage {storage.key}")
    return np.frombuffer(raw, dtype=storage.dtype)


def _resolved(tensor: _Tensor, values: np.ndarray, name: str) -> np.ndarray:
    if len(tensor.strides) != len(tensor.shape) or min((*tensor.strides, *tensor.shape, tensor.offset)) < 0:
        raise InputError(f"tensor {name!r}: shape {tensor.shape} and strides {tensor.strides} disagree")
    last = tensor.offset + sum(
        (size - 1) * step for size, step in zip(tensor.shape, tensor.strides, strict=True)
    )
    if 0 not in tensor.shape and last >= values.shape[0]:
        raise InputError(f"tensor {name!r} reaches past the end of its storage")
    steps = [step * values.itemsize for step in tensor.strides]
    return np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, steps).copy()
