"""Independent, named streams of random numbers.

Every draw in dynred takes a `torch.Generator`. A stream depends on its name, not on the order in which streams are
made, so that a new draw in one stage never changes another stage.
"""

import hashlib

import torch

from dynred.checks import generator_given, integer


def generator(seed: int, *label: str | int) -> torch.Generator:
    """A random stream named by a seed and a label.

    Args:
        seed: an integer >= 0.
        label: words or numbers that name the stream, e.g. `generator(0, "train", 3)`.

    Returns:
        A CPU generator. Equal arguments give the same stream, different arguments independent streams (the generator
        is seeded with 63 bits of SHA-256 of the arguments).

    Raises:
        InputError: the seed is no integer >= 0.
    """
    digest = hashlib.sha256(repr((integer("seed", seed, 0), *label)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def spawn(rng: torch.Generator, *label: str | int) -> torch.Generator:
    """A new stream derived from the next number of `rng` and a label; advances `rng` by one draw.

    Raises:
        InputError: `rng` is no torch.Generator.
    """
    return generator(int(torch.randint(2**62, (1,), generator=generator_given(rng))), *label)
