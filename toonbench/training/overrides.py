"""Changes of single fields of a training configuration, written `key=value` (`toonbench train --set`)."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import typing
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")
Fields = dict[str, tuple[str, Any]]
SHOWN = 60  # characters of a value in a message
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def with_overrides(config: Config, settings: Sequence[str], *, fixed: Mapping[str, str] | None = None) -> Config:
    """`config` with the fields changed that `settings` name, such as `lr1=0.001` or, of a nested configuration, `network.heads=4`.

    Lists are written as JSON. `fixed` are fields that cannot be set, each with the reason.
    Raises ToonbenchError for an unknown field (with the nearest names), a value of another type, a field that is set twice, and for
    values that the configuration refuses.
    """
    fields = _fields(config)
    values: dict[str, Any] = {}
    for setting in settings:
        key, found, text = setting.partition("=")
        if not found:
            raise ToonbenchError(f"--set {setting}: give key=value, for example {next(iter(fields))}=VALUE")
        if reason := (fixed or {}).get(key) or (fixed or {}).get(key.partition(".")[0]):
            raise ToonbenchError(f"--set {key}: {reason}")
        if key not in fields:
            raise ToonbenchError(
                f"--set {key}: unknown field{_near(key, [one for one in fields if not {one, one.partition('.')[0]} & {*(fixed or {})}])}"
            )
        if key in values:
            raise ToonbenchError(f"--set {key} is given twice: give it once")
        values[key] = _value(text, fields[key][1], key=key)
    try:
        return _replaced(config, values)
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        why = str(error) if isinstance(error, ValueError) else "these values do not go together"
        raise ToonbenchError(f"--set {' '.join(settings)}: {why}") from error


def _fields(config: DataclassInstance, prefix: str = "") -> Fields:
    """The fields by dotted name with their types; those of nested configurations instead of the configuration itself."""
    hints = typing.get_type_hints(type(config))
    found: Fields = {}
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            found |= _fields(value, f"{name}.")
        else:
            found[name] = (field.name, hints[field.name])
    return found


def _replaced(config: Config, values: Mapping[str, Any]) -> Config:
    """All values of a configuration change at once, because some depend on each other."""
    own: dict[str, Any] = {key: value for key, value in values.items() if "." not in key}
    for name in {key.partition(".")[0] for key in values if "." in key}:
        inner = {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{name}.")}
        own[name] = _replaced(getattr(config, name), inner)
    return dataclasses.replace(config, **own)


def _value(text: str, hint: Any, *, key: str) -> Any:
    """The value that `text` means for a field of type `hint`."""
    value: Any = text
    if hint is not str and typing.get_origin(hint) is not Literal:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        if typing.get_origin(hint) is tuple and not isinstance(value, list):
            value = _listed(text)
    found = _converted(value, hint)
    if found is _WRONG:
        shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
        raise ToonbenchError(f"--set {key}={shown}: {_described(hint)} is needed")
    return found


_WRONG = object()


def _listed(text: str) -> Any:
    """`0.5,0.99` as a list."""
    try:
        return json.loads(f"[{text}]")
    except (ValueError, RecursionError):
        return text


def _converted(value: Any, hint: Any) -> Any:
    """`value`, from JSON, as `hint` has it; `_WRONG` if it is of another type."""
    if typing.get_origin(hint) is Literal:
        return value if value in typing.get_args(hint) else _WRONG
    if typing.get_origin(hint) is tuple:
        return _tuple(value, typing.get_args(hint))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return _WRONG
    if type(value) is not hint or (hint is float and not math.isfinite(value)):
        return _WRONG
    return value


def _tuple(value: Any, inner: tuple[Any, ...]) -> Any:
    if not isinstance(value, list):
        return _WRONG
    values = typing.cast("list[Any]", value)
    hints = [inner[0]] * len(values) if inner[1:] == (...,) else [*inner]
    if len(hints) != len(values):
        return _WRONG
    found = tuple(_converted(one, hint) for one, hint in zip(values, hints, strict=True))
    return _WRONG if _WRONG in found else found


def _described(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)
        return f"a list of {_described(inner[0])}" if inner[1:] == (...,) else f"a list of {len(inner)} values"
    return WORDS.get(hint, str(hint))


def _near(key: str, fields: Collection[str]) -> str:
    near = difflib.get_close_matches(key, fields, n=3, cutoff=0.5)
    return f" (did you mean {' or '.join(near)}?)" if near else f"; known are {', '.join(fields)}"
