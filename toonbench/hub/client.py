"""Calls of the Hub's own client (`huggingface_hub`): patience with a busy server, and one line for every failure.

The client takes its token from `HF_TOKEN` or from `hf auth login`. toonbench neither stores nor prints it.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Result = TypeVar("Result")
Message = Callable[[str], None]
TRIES = 4  # of one call; the client itself tries most requests six times
WAIT = 1.0  # seconds before the second try; doubled before each further try
LONGEST_WAIT = 300.0  # seconds that a Retry-After may ask for
TEMPORARY = frozenset({408, 409, 412, 425, 429, 500, 502, 503, 504})
SHOWN = 160  # characters of a server's message
CLOSED = "closed"  # a thread lost its connection after several tries, and the client closed those of all threads
NOT_IN_TOKENS = re.compile(r"[^!-~]")
SECRET = re.compile(r"hf_\w+|(?<=[?&])[\w-]*(?:signature|token|credential)[\w-]*=[^&\s]+", re.IGNORECASE)
FULL = re.compile(r"quota|storage|payment|billing", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Failure:
    """What went wrong: the status of the response (0: none came), the server's message, and how long it asks to wait."""

    status: int
    text: str
    wait: float | None = None
    name: str = ""  # of the exception
    file: str = ""  # that was asked for
    elsewhere: bool = False  # it was a request to the store of large files, whose addresses expire


def hub_api() -> HfApi:
    """The client. Raises ToonbenchError if it is not installed, or HF_ENDPOINT or the token cannot be used.

    Files are sent and read by plain HTTP: the other protocol, Xet, is used only if `HF_HUB_DISABLE_XET` is set to 0.
    """
    if "HF_HUB_DISABLE_XET" not in os.environ:
        os.environ["HF_HUB_DISABLE_XET"] = "1"
        if constants := sys.modules.get("huggingface_hub.constants"):
            constants.HF_HUB_DISABLE_XET = True  # pyright: ignore[reportAttributeAccessIssue] - it was imported before
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.utils import disable_progress_bars, logging
    except ImportError as error:
        raise ToonbenchError("the Hub needs its client: pip install 'toonbench[hub]'") from error
    disable_progress_bars()
    logging.set_verbosity_error()  # its warnings hold addresses with signatures
    api = HfApi(library_name="toonbench")
    if not api.endpoint.startswith(("https://", "http://")):
        raise ToonbenchError(f"HF_ENDPOINT is '{api.endpoint}', which is no address: write https://HOST, or unset it")
    if NOT_IN_TOKENS.search(_token()):
        raise ToonbenchError(
            "the token for the Hub holds a space or another character that no token has: copy it again into HF_TOKEN, or log in "
            "with `hf auth login`"
        )
    return api


def _token() -> str:
    """The client's token; empty if it has none."""
    from huggingface_hub import get_token

    return get_token() or ""


def host_of(api: HfApi) -> str:
    """The server's name, for messages."""
    return api.endpoint.partition("://")[2] or api.endpoint


def patiently(call: Callable[[], Result], *, repo: str, message: Message | None = None) -> Result:
    """The result of `call`, which is tried again where the server is busy or the connection was lost.

    Raises ToonbenchError with one line for every failure of the server, the network, or the token.
    """
    for tried in range(1, TRIES + 1):
        try:
            return call()
        except _errors() as error:
            failure = _failure(error)
            if tried == TRIES or not _is_temporary(failure):
                raise ToonbenchError(_line(failure, repo)) from None
            wait = min(WAIT * 2 ** (tried - 1) if failure.wait is None else failure.wait, LONGEST_WAIT)
            if message is not None:
                happened, _, _ = _line(failure, repo).rpartition(": ")  # without advice
                message(f"{happened}; trying again in {wait:.0f} s ({tried + 1} of {TRIES})")
            time.sleep(wait)
    raise AssertionError


def is_missing(error: BaseException) -> bool:
    """Whether the Hub has no such repository, revision or file, or the token may not see it."""
    from huggingface_hub import errors

    kinds = (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError)
    return isinstance(error, kinds) and not isinstance(error, errors.GatedRepoError)


def _errors() -> tuple[type[BaseException], ...]:
    """What the client raises for failures of a transfer. `HTTPError` is the base of its own library's errors."""
    from huggingface_hub import errors

    transport = errors.HfHubHTTPError.__bases__[0]
    return (errors.HfHubHTTPError, transport, errors.OfflineModeIsEnabled, errors.LocalTokenNotFoundError,
            errors.HFValidationError, errors.FileMetadataError, errors.LocalEntryNotFoundError, RuntimeError, ValueError,
            ConnectionError)  # fmt: skip


def _failure(error: BaseException) -> _Failure:
    """The failure at the bottom of what the client raised: it wraps those of single files."""
    from huggingface_hub import constants, errors

    inner, transport = error, errors.HfHubHTTPError.__bases__[0]
    while not isinstance(inner, transport) and inner.__cause__ is not None:
        inner = inner.__cause__
    response = getattr(inner, "response", None)
    if response is None:
        closed = isinstance(inner, RuntimeError) and "client has been closed" in str(inner)
        return _Failure(0, "", name=CLOSED) if closed else _Failure(0, str(inner), name=type(inner).__name__)
    text = str(getattr(inner, "server_message", None) or response.headers.get("X-Error-Message") or "")
    wait = _seconds(response.headers.get("Retry-After"))
    elsewhere = response.request.url.host != urlsplit(constants.ENDPOINT).hostname
    _, _, file = unquote(response.request.url.path).partition("/resolve/")
    return _Failure(response.status_code, text, wait, type(inner).__name__, file.partition("/")[2], elsewhere)


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.strip().isdigit() else None


def _is_temporary(failure: _Failure) -> bool:
    if failure.status:
        return failure.status in TEMPORARY or failure.elsewhere
    kinds = ("Connect", "Read", "Write", "Protocol", "Timeout", "Pool", "Network")
    return any(kind in failure.name for kind in kinds)


def _line(failure: _Failure, repo: str) -> str:
    """What is wrong and what to do, in one line without secrets."""
    status, reason = failure.status, _safe(failure.text)
    noted = f" ({status}{': ' if reason else ''}{reason})" if status else f" ({reason})" if reason else ""
    if FULL.search(failure.text) and status in (0, 402, 403, 413, 507):
        return (
            f"{repo}: the Hub has no storage left for it{noted}: free some, or ask for more, and run the command again"
        )
    if failure.elsewhere:
        return f"{repo}: the Hub's store of large files refused one{noted}: run the same command later to resume"
    if failure.name == "GatedRepoError":
        return f"{repo}: it is gated{noted}: ask for access on its page, then log in with `hf auth login`"
    if failure.name == "RevisionNotFoundError":
        return f"{repo}: it has no such revision{noted}: give a branch, a tag or a commit of it"
    if failure.name in ("EntryNotFoundError", "RemoteEntryNotFoundError"):
        return f"{repo}: it has no file {_safe(failure.file)}{noted}: look at its list of files"
    if failure.name == "RepositoryNotFoundError":
        return f"{repo}: there is no such repository, or the token may not see it{noted}: check the name, or `hf auth login`"
    lines = {
        401: "the Hub does not accept the token{}: log in with `hf auth login`, or set HF_TOKEN to a valid one",
        403: "the token may not do this{}: use one with write access to its owner",
        429: "the Hub limits the number of requests{}: run the same command later, it resumes",
    }
    if status in lines:
        return f"{repo}: {lines[status].format(noted)}"
    if status:
        return f"{repo}: the Hub did not do it{noted}: finished files are kept, run the same command later to resume"
    if failure.name == "OfflineModeIsEnabled":
        return f"{repo}: HF_HUB_OFFLINE is set: unset it to use the Hub"
    if _is_temporary(failure) or failure.name in ("LocalEntryNotFoundError", "FileMetadataError", CLOSED):
        return (
            f"{repo}: the Hub cannot be reached{noted}: check the network; finished files are kept, run again to resume"
        )
    if failure.name == "JSONDecodeError":
        return f"{repo}: what responded is not the Hub (no JSON): check the network, a proxy, and HF_ENDPOINT"
    return f"{repo}: the Hub refused the request{noted}"


def _safe(text: str) -> str:
    """A server's message in one line, without tokens and signatures."""
    token = _token()
    return _short(" ".join(SECRET.sub("...", text.replace(token, "...") if token else text).split()))


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def token_owner(api: HfApi) -> str:
    """Whose token the client has. Raises ToonbenchError where it has none, or the Hub does not accept it."""
    if not _token():
        raise ToonbenchError(
            "there is no token for the Hub: log in with `hf auth login`, or set HF_TOKEN to a token that may write"
        )
    found: dict[str, Any] = patiently(api.whoami, repo=host_of(api))
    return str(found.get("name", ""))
