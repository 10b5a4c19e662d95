"""Tables of a FlatBuffer, the format of TensorFlow Lite's files: a table's fields are found through a list of offsets."""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the FlatBuffer at a place in the bytes."""

    data: bytes
    at: int

    def _field(self, number: int) -> int:
        """The place of a field's value, 0 if it is absent."""
        listing = self.at - struct.unpack_from("<i", self.data, self.at)[0]
        size = struct.unpack_from("<H", self.data, listing)[0]
        offset = struct.unpack_from("<H", self.data, listing + 4 + 2 * number)[0] if 4 + 2 * number < size else 0
        return self.at + offset if offset else 0

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """A whole number of the `struct` format `kind`."""
        place = self._field(field)
        return struct.unpack_from(f"<{kind}", self.data, place)[0] if place else default

    def table(self, field: int) -> Table | None:
        """A table in a field."""
        place = self._field(field)
        return Table(self.data, place + struct.unpack_from("<I", self.data, place)[0]) if place else None

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._field(field)
        if not place:
            return 0, 0
        start = place + struct.unpack_from("<I", self.data, place)[0]
        return start + 4, struct.unpack_from("<I", self.data, start)[0]

    def tables(self, field: int) -> list[Table]:
        """A list of tables."""
        start, count = self._vector(field)
        places = range(start, start + 4 * count, 4)
        return [Table(self.data, place + struct.unpack_from("<I", self.data, place)[0]) for place in places]

    def numbers(self, field: int) -> list[int]:
        """A list of 32-bit whole numbers."""
        start, count = self._vector(field)
        return list(struct.unpack_from(f"<{count}i", self.data, start)) if count else []

    def content(self, field: int) -> bytes:
        """A list of bytes."""
        start, count = self._vector(field)
        return self.data[start : start + count]
