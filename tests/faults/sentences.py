"""What an answer to wrong input must be like."""

from collections.abc import Sequence

LONGEST = 600  # characters; the names of all systems take 400
INTERNALS = ("Traceback", "NoneType", "state_dict", " object at 0x", "Tensor(", "tensor(", "<class", "[Errno", "size_t")


def check_sentence(text: str, words: Sequence[str]) -> None:
    """Asserts that a text is one short line with the words, whatever their case, and without the code's internals."""
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, f"{len(lines)} lines: {text[:300]} ... {text[-300:]}"
    assert len(text) <= LONGEST, f"{len(text)} characters: {text[:300]}"
    missing = [word for word in words if word.lower() not in text.lower()]
    assert not missing, f"{missing} not in: {text}"
    assert not [word for word in INTERNALS if word in text], f"internals in: {text}"
