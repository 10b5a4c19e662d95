"""A law is a function of a subject: its docstring is the law, its result is a sentence that says how the subject breaks it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Status = Literal["passed", "failed", "does not apply"]
Subject = TypeVar("Subject")

log = logging.getLogger(__name__)


class DoesNotApply(Exception):
    """Raised by a law that a subject with these declared attributes does not have to keep; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One law on one subject. `why` is empty where the law holds."""

    law: str
    status: Status
    why: str = ""


def outcomes(laws: Sequence[Callable[[Subject], str]], subject: Subject) -> Iterator[Outcome]:
    """Each law applied to the subject, in order. A law that raises anything but DoesNotApply is broken."""
    for law in laws:
        yield outcome(law, subject)


def outcome(law: Callable[[Subject], str], subject: Subject) -> Outcome:
    """One law applied to the subject."""
    try:
        why = law(subject)
    except DoesNotApply as reason:
        return Outcome(law=sentence(law), status="does not apply", why=str(reason))
    except Exception as error:
        log.debug("law broken: %s", sentence(law), exc_info=True)
        why = f"it raised {described(error)}"
    return Outcome(law=sentence(law), status="failed" if why else "passed", why=why)


def sentence(law: Callable[[Subject], str]) -> str:
    """The first paragraph of the law's docstring, on one line."""
    return " ".join((law.__doc__ or law.__name__).partition("\n\n")[0].split())


def described(error: BaseException) -> str:
    """An exception on one line: its class and message."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}".rstrip(": ")


def only_if(applies: object, reason: str) -> None:
    """Raise DoesNotApply with `reason` unless `applies`."""
    if not applies:
        raise DoesNotApply(reason)
