"""An update of weights by a loss."""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim import Adam

from toonbench.training.processes import ProcessGroup
from toonbench.training.stability import differentiate


def descend(optimiser: Adam, module: nn.Module, loss: Tensor, *, of: str, group: ProcessGroup) -> None:
    """One step of the optimiser, by the mean of the gradients of all processes.

    Raises NotFinite, naming `of`, for a loss or gradients that are not finite; weights stay then.
    """
    optimiser.zero_grad(set_to_none=True)
    differentiate(loss, module.parameters(), group=group, largest=0.0, of=of)
    optimiser.step()
