"""The values of options: what every option refuses, and ranges of numbers. A refused value is one line that names the range."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, get_args

from cyclopts import CoercionError, CycloptsError, Parameter, Token
from cyclopts import convert as cyclopts_convert

WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
MOST_WORKERS = 1024
MOST_FILES = 1_000_000  # more are a slip of the hand


def between(least: float, most: float = math.inf) -> Parameter:
    """An option that is a number from `least` to `most`, or several of them."""
    allowed = f"{least:,}".rstrip() + (" or more" if math.isinf(most) else f" to {most:,}")

    def check(kind: Any, value: Any) -> None:
        del kind
        for one in value if isinstance(value, tuple) else (value,):
            if one is not None and not least <= one <= most:
                raise ValueError(f"Give {allowed}.")

    return Parameter(validator=check, negative="")


def convert(kind: Any, tokens: Sequence[Token]) -> Any:
    """The value of an option. A whole number is written as one: cyclopts itself would round 1.5."""
    kinds = (kind, *get_args(kind))
    for text in (token.value for token in tokens if bool not in kinds):
        if not text.strip():
            raise ValueError("the value is empty: give one, or leave the option out")
        if "\0" in text:
            raise ValueError("a value cannot contain the character NUL")
        if int in kinds and not WHOLE.fullmatch(text):
            raise ValueError(f"{text} is not a whole number")
        if float in kinds and not _finite(text):
            raise ValueError(f"{text} is not a finite number")
    return cyclopts_convert(kind, tokens)


def message(error: CycloptsError) -> str:
    """The message of a refused command line in one line. cyclopts leaves out the names of values without an option."""
    text = " ".join(str(error).split())
    if isinstance(error, CoercionError) and error.msg is not None and error.argument is not None:
        named = error.token is not None and error.token.keyword is not None
        text = text if named else f"Invalid value for {error.argument.name.lstrip('-').upper()}: {text}"
    return f"{text} (see toonbench --help)"


def _finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
