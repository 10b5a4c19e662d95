"""Compute the next items of an iterator in a thread while the current ones are used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar, cast

Item = TypeVar("Item")
WAITING = 8  # items that wait to be used
PATIENCE = 0.5  # seconds between two looks at whether the reader is gone


def read_ahead(items: Iterator[Item], *, waiting: int = WAITING) -> Generator[Item]:
    """The items in their order; up to `waiting` of them are computed ahead in a thread, whose errors are raised here.

    FFmpeg decodes without Python's lock, so decoding and computing share two cores. Closing the generator ends the thread.
    """
    made: queue.Queue[tuple[str, Item | BaseException | None]] = queue.Queue(waiting)
    gone = threading.Event()
    thread = threading.Thread(target=_produce, args=(items, made, gone), daemon=True)
    thread.start()
    try:
        while True:
            kind, value = made.get()
            if kind == "end":
                return
            if kind == "error":
                raise cast("BaseException", value)
            yield cast("Item", value)
    finally:
        gone.set()
        thread.join()


def _produce(
    items: Iterator[Item], made: queue.Queue[tuple[str, Item | BaseException | None]], gone: threading.Event
) -> None:
    def put(kind: str, value: Item | BaseException | None) -> None:
        while not gone.is_set():
            try:
                return made.put((kind, value), timeout=PATIENCE)
            except queue.Full:
                continue

    try:
        for item in items:
            put("item", item)
            if gone.is_set():
                break
        put("end", None)
    except BaseException as error:  # noqa: BLE001 - every error belongs to the reader
        put("error", error)
    finally:
        if isinstance(items, Generator):
            items.close()
