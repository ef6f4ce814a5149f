"""Files of systems with something wrong in them, by name."""

GOOD = "import numpy as np\ndim = 2\n\n\ndef rhs(t, x):\n    return np.array([x[1], -x[0]])\n"
TORCH = "import torch\nfrom dynred.ode.system import System\n\n\ndef rhs(t, x):\n    return -x\n\n\n"
INITIAL = "\n\ndef sample_initial(n, rng):\n    return {}\n"


def _rhs(body: str, before: str = "dim = 2") -> str:
    return f"import sys\nimport numpy as np\nimport torch\n{before}\n\n\ndef rhs(t, x):\n    {body}\n"


FILES = {
    "good.py": GOOD,
    "syntax.py": "dim = 2\ndef rhs(t, x:\n",
    "raises.py": "raise RuntimeError('on import')\n",
    "leaves.py": "import sys\nsys.exit(0)\n",
    "empty.py": "",
    "bad_rhs.py": _rhs("raise ZeroDivisionError('my own words')"),
    "exits_rhs.py": _rhs("sys.exit(0)"),
    "shape_rhs.py": _rhs("return x[:1]"),
    "text_rhs.py": _rhs("return np.array(['a', 'b'])"),
    "none_rhs.py": _rhs("return None"),
    "nan_rhs.py": _rhs("return x * np.nan"),
    "complex_rhs.py": _rhs("return np.asarray(x) * (1 + 0j)"),
    "float_dim.py": _rhs("return -x", "dim = 2.5"),
    "negative_dim.py": _rhs("return -x", "dim = -2"),
    "text_dim.py": _rhs("return -x", "dim = 'two'"),
    "text_parameters.py": _rhs("return -x", "dim = 2\nparameters = {'mu': 'much'}"),
    "no_function.py": "dim = 2\nrhs = 3\n",
    "one_argument.py": "dim = 2\n\n\ndef rhs(x):\n    return -x\n",
    "bad_initial.py": GOOD + INITIAL.format("1 / 0 if n < 0 else (_ for _ in ()).throw(ValueError('my own words'))"),
    "shape_initial.py": GOOD + INITIAL.format("np.zeros((n, 5))"),
    "no_system.py": "system = 3\n",
    "raising_system.py": "def system():\n    raise ValueError('my own words')\n",
    "leaving_system.py": "import sys\n\n\ndef system():\n    sys.exit(3)\n",
}
