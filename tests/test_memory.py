"""How much memory there is, under every kind of limit; and what happens where there is not enough."""

import subprocess
import sys

import pytest

from dynred import memory
from dynred.errors import InputError

unix = pytest.mark.skipif(sys.platform != "linux", reason="limits of address space")


@pytest.fixture
def plenty(monkeypatch, tmp_path):
    """A machine with 100 GB, no limits, and control groups below a folder."""
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: type("V", (), {"available": 10**11}))
    monkeypatch.setattr(memory, "_left_under_limits", list)
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "_groups", lambda: {tmp_path, tmp_path / "own"})
    return tmp_path


def group(folder, names, limit, used, dropped):
    folder.mkdir(exist_ok=True)
    for name, value in zip(names[:2], (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{names[2]} {dropped}\n")


@pytest.mark.parametrize("names", memory.FILES, ids=["version 2", "version 1"])
def test_the_narrowest_control_group_counts_less_what_it_uses(plenty, names):
    assert memory.available_bytes() == 10**11
    group(plenty, names, 9 * 10**9, 2 * 10**9, 10**9)
    assert memory.available_bytes() == 8 * 10**9
    group(plenty / "own", names, 3 * 10**9, 10**9, 0)
    assert memory.available_bytes() == 2 * 10**9
    group(plenty / "own", names, 10**9, 2 * 10**9, 0)  # more than it may
    assert memory.available_bytes() == 0
    group(plenty / "own", names, "max", 2 * 10**9, 0)
    assert memory.available_bytes() == 8 * 10**9


def test_work_that_does_not_fit_is_refused_with_both_numbers(plenty):
    memory.check_memory("the work", 10**11)
    with pytest.raises(InputError, match=r"^the work must fit into .* available, 100 GB, got 410 GB\. Ask for less\.$"):
        memory.check_memory("the work", 41 * 10**10, "Ask for less.")


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 MB"), (3 * 10**6, "3 MB"), (32 * 10**8, "3.2 GB"), (41 * 10**9, "41 GB"), (5 * 10**12, "5000 GB")],
)
def test_bytes_are_told_in_words(count, words):
    assert memory.amount(count) == words
    assert memory.amount(10**5000) == "more than 10^9 GB"


def test_the_peak_is_that_of_this_process():
    assert memory.peak_memory_mb() * 2**20 >= memory.psutil.Process().memory_info().rss * 0.5


@unix
def test_the_peak_is_not_that_of_the_process_that_started_it():
    large = bytearray(b"x") * (400 * 2**20)
    code = "import sys; from dynred.memory import peak_memory_mb; print(peak_memory_mb())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < len(large) / 2**20 / 2


def limited(code, limit="RLIMIT_AS", size=0):
    head = f"import resource, sys\nresource.setrlimit(resource.{limit}, ({size},) * 2)\n" if size else ""
    done = subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@unix
@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_the_limits_of_a_process_count(limit):
    code = "from dynred.memory import available_bytes\nprint(available_bytes())"
    found = int(limited(code, limit, 4 * 10**9)[1])
    assert 10**9 < found < 4 * 10**9


@unix
def test_more_than_is_available_is_not_granted_where_it_is_bounded():
    with memory.bounded(), pytest.raises(MemoryError):
        bytearray(memory.available_bytes() + 10**9)
    before = memory.resource.getrlimit(memory.resource.RLIMIT_AS)
    with memory.bounded():
        assert bytearray(10**6)
    assert memory.resource.getrlimit(memory.resource.RLIMIT_AS) == before


@unix
@pytest.mark.slow
def test_a_command_without_memory_ends_with_a_sentence(tmp_path):
    code = (
        "import torch\nfrom dynred.cli.app import main\n"
        "resource.setrlimit(resource.RLIMIT_AS, (memory.psutil.Process().memory_info().vms + 10**9,) * 2)\n"
        f"main(['simulate', 'lorenz96', '-n', '100000', '--out', {str(tmp_path / 'd.npz')!r}])\n"
    )
    code, out, err = limited("import resource, sys\nfrom dynred import memory\n" + code)
    assert code == 2, err
    assert "Traceback" not in err
    assert len(err.splitlines()) == 1
