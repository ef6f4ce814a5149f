"""The recipe of `one_interval.py` in diffrax: compiled by jax, one batched solve, from the same initial weights."""

import time
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import optax
import torch
from one_interval import OneIntervalSpec, OneIntervalTraining, Pairs
from torch import Tensor

from dynred.dynamics.neural_ode import NeuralODE

MAX_STEPS = 16  # steps of a solve, which takes two to four; more raise an error
ACTIVATIONS = {"gelu": lambda x: jax.nn.gelu(x, approximate=False), "silu": jax.nn.silu, "tanh": jnp.tanh}


class State(NamedTuple):
    """Weights [(matrix, bias), ...] and Adam's moments."""

    weights: Any
    moments: Any


class DiffraxTraining(OneIntervalTraining):
    """The recipe in diffrax, in the fastest way that the library offers.

    The state of one solve is the whole batch [B, R], as in torchdiffeq, and the error norm is the same, the root mean
    square. On a CPU a vmap over solves of single rows takes several times as long. `DirectAdjoint` backpropagates
    through the solver, as the default adjoint does, but does not compute steps twice: for so few steps that is faster.
    """

    def __init__(self, initial: NeuralODE, pairs: Pairs, spec: OneIntervalSpec):
        self.initial, self.spec, self.interval = initial, spec, pairs.interval
        self.now, self.later = jnp.asarray(pairs.now.numpy()), jnp.asarray(pairs.later.numpy())
        self.scale = jnp.asarray((initial.units.rate / initial.units.spread).float().numpy())
        self.activation = ACTIVATIONS[initial.spec.activation]
        self.adam = optax.scale_by_adam()
        start = time.perf_counter()
        index = jnp.zeros(spec.batch_size, dtype=jnp.int32)
        self._update = jax.jit(self._step).lower(self.start(), index, jnp.float32(0)).compile()
        self.compile_s = time.perf_counter() - start

    def start(self) -> State:
        weights = [
            (jnp.asarray(layer.weight.detach().numpy()), jnp.asarray(layer.bias.detach().numpy()))
            for layer in self.initial.net.layers
        ]
        return State(weights, self.adam.init(weights))

    def step(self, state: State, index: Tensor, rate: float) -> State:
        # The call waits for the result; otherwise the clock would only measure the request.
        return jax.block_until_ready(self._update(state, jnp.asarray(index.int().numpy()), jnp.float32(rate)))

    def branched(self, state: State) -> State:
        return state  # immutable

    def model(self, state: State) -> NeuralODE:
        model = NeuralODE(self.initial.spec, self.initial.latent_space, self.initial.units, torch.Generator())
        for layer, (matrix, bias) in zip(model.net.layers, state.weights, strict=True):
            layer.weight.data = torch.tensor(jax.device_get(matrix))
            layer.bias.data = torch.tensor(jax.device_get(bias))
        return model.requires_grad_(False)

    def loss(self, weights: Any, index: jax.Array) -> jax.Array:
        """Mean squared distance between prediction and successor, in standard units."""
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, weights: self.scale * self._net(weights, y)),
            diffrax.Dopri5(scan_kind="checkpointed"),
            t0=0.0,
            t1=self.interval,
            dt0=None,
            y0=self.now[index],
            args=weights,
            stepsize_controller=diffrax.PIDController(rtol=self.spec.tolerance, atol=self.spec.tolerance),
            max_steps=MAX_STEPS,
            adjoint=diffrax.DirectAdjoint(),
        )
        return jnp.mean((solution.ys[-1] - self.later[index]) ** 2)

    def _net(self, weights: Any, y: jax.Array) -> jax.Array:
        for matrix, bias in weights[:-1]:
            y = self.activation(y @ matrix.T + bias)
        matrix, bias = weights[-1]
        return y @ matrix.T + bias

    def _step(self, state: State, index: jax.Array, rate: jax.Array) -> State:
        gradient = jax.grad(self.loss)(state.weights, index)
        direction, moments = self.adam.update(gradient, state.moments)
        return State(jax.tree.map(lambda w, d: w - rate * d, state.weights, direction), moments)
