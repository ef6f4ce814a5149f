"""The networks: small smooth perceptrons and the affine maps around them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dynred.checks import one_of, refuse

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "softplus": nn.Softplus,
    "elu": nn.ELU,
}

SOLVED = ("coefficients", "matrix")  # buffers that least squares fill, by their names
# Copies of every weight in memory while a checkpoint is written: the weight, its gradient, two moments and the best
# weight so far; a clone of each of these but the gradient; and the bytes of the file.
COPIES = 14


def training_bytes(networks: Sequence[Sequence[int]], batch: int, held: int) -> int:
    """About how many bytes `dynred.training.minimise.minimise` takes for perceptrons that are trained together.

    Args:
        networks: the widths of each network: inputs, hidden layers, outputs.
        batch: samples in a batch, whose activations are kept for the gradient.
        held: samples whose validation loss is computed at once.
    """
    weights = sum((i + 1) * o for widths in networks for i, o in pairwise(widths))
    units, widest = sum(sum(widths[1:]) for widths in networks), max(max(widths) for widths in networks)
    return 4 * (COPIES * weights + 3 * max(batch * units, held * widest))


WIDEST, DEEPEST = 100_000, 1000  # most units of a layer, and most layers


class MLP(nn.Module):
    """A fully connected network `[..., inputs] -> [..., outputs]` with a linear last layer.

    Args:
        inputs: width of the input, >= 1.
        outputs: width of the output, >= 1.
        hidden: widths of the hidden layers; empty gives an affine map.
        activation: one of `ACTIVATIONS`.
        rng: stream of the initial weights, uniform in +-1/sqrt(fan in), torch's own rule for linear layers.
        zero: start the last layer at zero, so that the network starts as the zero function.

    Raises:
        InputError: unknown activation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: Sequence[int],
        activation: str = "silu",
        *,
        rng: torch.Generator,
        zero: bool = False,
    ):
        super().__init__()
        one_of("activation", activation, ACTIVATIONS)
        widths = [inputs, *hidden, outputs]
        layers = [_linear(i, o, rng) for i, o in pairwise(widths)]
        self.layers = nn.ModuleList(layers)
        self.activation = ACTIVATIONS[activation]()
        if zero:
            nn.init.zeros_(layers[-1].weight)
            nn.init.zeros_(layers[-1].bias)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype in which the network computes."""
        return next(self.parameters()).dtype

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """The network's output."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


def _linear(inputs: int, outputs: int, rng: torch.Generator) -> nn.Linear:
    # nn.Linear would draw its weights from the global stream and advance it: so it is made without memory, and the
    # weights are drawn here. They are drawn on the default device, which has no memory while a file is being checked.
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device=torch.get_default_device())
    bound = inputs**-0.5
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=rng)
        layer.bias.uniform_(-bound, bound, generator=rng)
    return layer


def check_weights(
    wanted: Mapping[str, Shaped[Tensor, "..."]], given: Mapping[str, Shaped[Tensor, "..."]], prefix: str
) -> None:
    """Refuses tensors that are not those of a module's state, by name, shape and dtype.

    Args:
        wanted: the module's state; its tensors may be without memory (torch's meta device).
        given: the tensors that are checked, by name.
        prefix: stands before the names in messages.

    Raises:
        InputError: a tensor is missing, does not fit, or belongs to nothing; the message names the first of them.
    """
    for name, tensor in wanted.items():
        if name not in given:
            raise refuse(f"tensor {prefix}{name}", "there", "nothing")
        if given[name].shape != tensor.shape or given[name].dtype != tensor.dtype:
            raise refuse(f"tensor {prefix}{name}", _described(tensor), _described(given[name]))
    for name in given:
        if name not in wanted:
            raise refuse(f"tensor {prefix}{name}", "that of a part of the model", "one of no part")


def _described(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def hidden_matrices(module: nn.Module) -> list[Float[Tensor, "outputs inputs"]]:
    """The weight matrices between two hidden layers of every `MLP` within `module`: those that Muon is made for."""
    nets = (net for net in module.modules() if isinstance(net, MLP))
    return [layer.weight for net in nets for layer in list(net.layers)[1:-1] if isinstance(layer, nn.Linear)]


def parameter_count(module: nn.Module) -> int:
    """How many numbers of a module were fitted: weights, and what least squares gave; no bases and no units."""
    solved = (b for name, b in module.named_buffers() if name.rpartition(".")[2] in SOLVED)
    return sum(p.numel() for p in (*module.parameters(), *solved))
