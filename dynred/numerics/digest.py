"""Digests of arrays: equal content has equal digests."""

import hashlib
from collections.abc import Mapping

import torch
from jaxtyping import Shaped
from torch import Tensor


def content_digest(arrays: Mapping[str, Shaped[Tensor, "..."]]) -> str:
    """The SHA-256 of names, dtypes, shapes and values, as hexadecimal digits; it takes bounded memory."""
    content = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name].detach()
        content.update(f"{name} {str(array.dtype).removeprefix('torch.')} {list(array.shape)}\n".encode())
        rows = array if array.ndim > 1 else array.reshape(-1, 1)
        for piece in rows.split(max(1, 2**20 // max(1, rows[:1].numel()))) if len(rows) else ():
            content.update(piece.cpu().reshape(-1).contiguous().view(torch.uint8).numpy().data)
    return content.hexdigest()
