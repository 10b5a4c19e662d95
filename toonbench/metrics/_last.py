"""A memory of one result: what is computed from the reference alone is kept for the next method, which has the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Last(Generic[Value]):
    """The result for the key that was asked for last."""

    def __init__(self) -> None:
        self._kept: tuple[str, Value] | None = None

    def get(self, key: str, make: Callable[[], Value]) -> Value:
        """The kept result if it belongs to `key`; otherwise `make()`, which is then kept."""
        if self._kept is None or self._kept[0] != key:
            self._kept = key, make()
        return self._kept[1]

    def put(self, key: str, value: Value) -> None:
        """Keep `value` as the result for `key`."""
        self._kept = key, value
