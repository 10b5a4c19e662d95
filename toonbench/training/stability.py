"""Gradients that are not finite stop a run with the batch saved; large ones can be limited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from toonbench.store import writing
from toonbench.training.checkpoint import write_content
from toonbench.training.processes import ProcessGroup
from toonbench.types import ToonbenchError


class NotFinite(Exception):
    """A loss or a gradient is NaN or infinite. The message says which one."""


def differentiate(
    loss: Tensor, parameters: Iterable[nn.Parameter], *, group: ProcessGroup, largest: float, of: str
) -> float:
    """The gradients of the loss, averaged over the processes that share the batch and limited as by `limit`; return their norm.

    Raises NotFinite, naming `of`, in all processes where the loss of one is not finite. Nothing is differentiated then: on a CPU, the
    backward pass of a warp by NaN can end the process, and parameters that do not learn have no gradient that could be averaged.
    """
    own = [*parameters]
    if not group.all_true(bool(torch.isfinite(loss))):
        raise NotFinite(f"the loss or the gradient of the {of} is not finite")
    loss.backward()
    group.all_reduce(own)
    return limit(own, largest=largest, of=of)


def limit(parameters: Iterable[nn.Parameter], *, largest: float, of: str) -> float:
    """The norm of all gradients; they are scaled so that it is at most `largest`, unless that is 0.

    Raises NotFinite, naming `of`, where it is NaN or infinite.
    """
    own = [parameter for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm([one.grad for one in own if one.grad is not None])
    if not torch.isfinite(norm):
        raise NotFinite(f"the loss or the gradient of the {of} is not finite")
    if largest:
        torch.nn.utils.clip_grads_with_norm_(own, largest, norm)
    return norm.item()


def out_of_memory(error: Exception, *, step: int, device: str, lower: Mapping[str, int]) -> Exception:
    """What to lower if the memory was too small in a step; otherwise the error itself. `lower` are settings with their values."""
    if not isinstance(error, (torch.OutOfMemoryError, MemoryError)) and "allocate memory" not in str(error):
        return error
    settings = " or ".join(f"{name} (now {value})" for name, value in lower.items())
    return ToonbenchError(
        f"step {step} needs more memory than {device} has: lower {settings} with --set {next(iter(lower))}=N, in another folder"
    )


def saved_batch(
    folder: Path, batch: Mapping[str, Tensor], numbers: Mapping[str, float], *, step: int, rank: int, why: str
) -> ToonbenchError:
    """Write the batch of a step that cannot be used, and the terms of its loss; return the error that reports it."""
    path = folder / f"not-finite-{step:07d}{f'-{rank}' if rank else ''}.pt"
    with writing(path) as temporary:
        images = {name: one.detach().cpu() for name, one in batch.items()}
        write_content(temporary, {"step": step, "terms": dict(numbers), "batch": images})
    wrong = [name for name, value in numbers.items() if not abs(value) < float("inf")]
    terms = f" (terms that are not finite: {', '.join(wrong)})" if wrong else ""
    return ToonbenchError(
        f"step {step}: {why}{terms}; the weights were not changed, and the batch is in {path}: resume with a lower learning "
        "rate or with clipped gradients in another folder, or with --fresh"
    )
