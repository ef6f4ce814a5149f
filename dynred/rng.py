"""Independent, named streams of random numbers.

Every draw in dynred takes a `torch.Generator`. Streams are told apart by name, not by the order in which they are
asked for, so adding a draw to one stage never changes another stage.
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
        A CPU generator. The same arguments give the same stream, different arguments independent ones (the state is
        seeded with 63 bits of SHA-256 of the arguments).

    Raises:
        InputError: a seed of another kind.
    """
    digest = hashlib.sha256(repr((integer("seed", seed, 0), *label)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def spawn(rng: torch.Generator, *label: str | int) -> torch.Generator:
    """A new stream derived from the next number of `rng` and a label; advances `rng` by one draw.

    Raises:
        InputError: `rng` is no torch.Generator.
    """
    return generator(int(torch.randint(2**62, (1,), generator=generator_given(rng))), *label)
