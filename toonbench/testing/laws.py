"""A law is a function of a subject: its docstring is the law, its result is a sentence that says how the subject breaks it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from toonbench.types import ToonbenchError

Status = Literal["passed", "failed", "does not apply", "not checked"]
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


def in_stages(
    basic: Sequence[Callable[[Subject], str]], others: Sequence[Callable[[Subject], str]], subject: Subject
) -> Iterator[Outcome]:
    """The basic laws up to the first that is broken; if all hold, the others.

    A subject that breaks a basic law would break many others for the same reason.
    """
    for at, law in enumerate(basic):
        yield (one := outcome(law, subject))
        if one.status == "failed":
            left = len(basic) + len(others) - at - 1
            yield Outcome(law=f"{left} other laws.", status="not checked", why="correct the failure above first")
            return
    yield from outcomes(others, subject)


def outcome(law: Callable[[Subject], str], subject: Subject) -> Outcome:
    """One law applied to the subject."""
    try:
        why = law(subject)
    except DoesNotApply as reason:
        return Outcome(law=sentence(law), status="does not apply", why=str(reason))
    except (Exception, SystemExit) as error:
        log.debug("law broken: %s", sentence(law), exc_info=True)
        why = described(error)
    return Outcome(law=sentence(law), status="failed" if why else "passed", why=why)


def sentence(law: Callable[[Subject], str]) -> str:
    """The first paragraph of the law's docstring, on one line."""
    return " ".join((law.__doc__ or law.__name__).partition("\n\n")[0].split())


def described(error: BaseException) -> str:
    """An exception on one line: the message of a ToonbenchError, or the class and message of any other."""
    message = " ".join(str(error).split())[:300]
    return message if isinstance(error, ToonbenchError) else f"it raised {type(error).__name__}: {message}".rstrip(": ")


def only_if(applies: object, reason: str) -> None:
    """Raise DoesNotApply with `reason` unless `applies`."""
    if not applies:
        raise DoesNotApply(reason)
