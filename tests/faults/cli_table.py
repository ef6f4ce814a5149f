"""Wrong command lines and the words that the answer must hold.

One a line, `tokens | words`. `{r}`, `{s}`, `{l}` stand for what makes a reduction, a simulation, exponents small;
`run`, `half` (a run that was killed), `data.npz`, `data.zarr`, `data.nc`, `mine/` (a folder of the user's), `note.txt`,
`fifo` and files of systems lie in the working directory.
"""

import shlex

SMALL = {
    "r": "--set data.train=4 --set data.validation=2 --set data.test=2 --set data.duration=2 --set reducer.width=4 "
    "--set reducer.training.steps=2 --set dynamics.width=4 --set dynamics.training.steps=2",
    "s": "--n 2 --duration 1 --sampling .5",
    "l": "--n 1 --duration 1 --interval .1",
    "long": "x" * 300,
    "deep": "/".join(["x" * 200] * 30),
    "huge": "9" * 400,
}
REDUCE = """
reduce | source
reduce --latent-dim 1 | source
reduce stuart_landau | latent-dim
reduce stuart_landau --latent-dim | latent-dim
reduce stuart_landau --latent-dim 0 {r} | latent_dim, 0
reduce stuart_landau --latent-dim -1 {r} | latent_dim, -1
reduce stuart_landau --latent-dim 2 {r} | latent_dim, 2
reduce stuart_landau --latent-dim 1.5 {r} | latent-dim, 1.5
reduce stuart_landau --latent-dim nan {r} | latent-dim, nan
reduce stuart_landau --latent-dim inf {r} | latent-dim, inf
reduce stuart_landau --latent-dim two {r} | latent-dim, two
reduce stuart_landau --latent-dim '' {r} | latent-dim
reduce stuart_landau --latent-dim 1e999 {r} | latent-dim
reduce stuart_landau --latent-dim {huge} {r} | latent
reduce stuart_landau --latent-dim 1 --angles 2 {r} | angles
reduce stuart_landau --latent-dim 1 --angles -1 {r} | angles, -1
reduce stuart_landau --latent-dim 1 --angles 0.5 {r} | angles, 0.5
reduce stuart_landau --angles 2 | latent_dim
reduce stuart_landau --latent-dim 1 --angles 1 --reducer pod {r} | angles
reduce stuart_landau --latent auto --latent-dim 1 {r} | latent, auto
reduce stuart_landau --latent auto --angles 1 {r} | latent, auto
reduce stuart_landau --latent auto --charts 2 {r} | latent, auto
reduce stuart_landau --latent manual {r} | latent, manual
reduce stuart_landau --latent-dim 1 --charts 0 {r} | charts, 0
reduce stuart_landau --latent-dim 1 --charts -3 {r} | charts, -3
reduce stuart_landau --latent-dim 1 --charts 1.5 {r} | charts, 1.5
reduce stuart_landau --latent-dim 1 --charts 1000000000 {r} | charts
reduce stuart_landau --latent-dim 1 --seed -1 {r} | seed, -1
reduce stuart_landau --latent-dim 1 --seed 0.5 {r} | seed, 0.5
reduce stuart_landau --latent-dim 1 --seed nan {r} | seed, nan
reduce stuart_landau --latent-dim 1 --seed {huge} {r} | seed
reduce stuart_landau --latent-dim 1 --seed 99999999999999999999 {r} | seed
reduce stuart_landau --latent-dim 1 --device gpu {r} | device, gpu
reduce stuart_landau --latent-dim 1 --device cuda:99 {r} | device
reduce stuart_landau --latent-dim 1 --device '' {r} | device
reduce stuart_landau --latent-dim 1 --device cpu:x {r} | device
reduce stuart_landau --latent-dim 1 --reducer nothing {r} | reducer, nothing
reduce stuart_landau --latent-dim 1 --reducer autoencoderr {r} | autoencoder
reduce stuart_landau --latent-dim 1 --reducer '' {r} | reducer
reduce stuart_landau --latent-dim 1 --reducer missing.py {r} | missing.py
reduce stuart_landau --latent-dim 1 --reducer os:system {r} | os:system
reduce stuart_landau --latent-dim 1 --reducer good.py {r} | good.py, Spec
reduce stuart_landau --latent-dim 1 --reducer note.txt {r} | reducer, note.txt
reduce stuart_landau --latent-dim 1 --reducer mine {r} | reducer, mine
reduce stuart_landau --latent-dim 1 --dynamics nothing {r} | dynamics, nothing
reduce stuart_landau --latent-dim 1 --dynamics neural_oed {r} | neural_ode
reduce stuart_landau --latent-dim 1 --dynamics missing.py {r} | missing.py
reduce stuart_landau --latent-dim 1 --dynamics syntax.py {r} | syntax.py, SyntaxError
reduce stuart_landau --latent-dim 1 --dynamics leaves.py {r} | leaves.py, exit
reduce stuart_landau --latent-dim 1 --dynamics '' {r} | dynamics
reduce stuart_landua --latent-dim 1 {r} | stuart_landau
reduce STUART_LANDAU --latent-dim 1 {r} | stuart_landau
reduce '' --latent-dim 1 {r} | system
reduce . --latent-dim 1 {r} | system
reduce / --latent-dim 1 {r} | system
reduce run --latent-dim 1 {r} | run
reduce mine --latent-dim 1 {r} | mine
reduce note.txt --latent-dim 1 {r} | note.txt
reduce missing.py --latent-dim 1 {r} | missing.py
reduce missing.npz --latent-dim 1 {r} | missing.npz
reduce missing.zarr --latent-dim 1 {r} | missing.zarr
reduce missing.nc --latent-dim 1 {r} | missing.nc
reduce data.csv --latent-dim 1 {r} | data.csv
reduce os:system --latent-dim 1 {r} | os:system
reduce no_module:thing --latent-dim 1 {r} | no_module
reduce syntax.py --latent-dim 1 {r} | syntax.py, SyntaxError
reduce raises.py --latent-dim 1 {r} | raises.py, on import
reduce leaves.py --latent-dim 1 {r} | leaves.py, exit
reduce empty.py --latent-dim 1 {r} | empty.py, rhs
reduce bad_rhs.py --latent-dim 1 {r} | rhs, my own words, bad_rhs.py
reduce bad_initial.py --latent-dim 1 {r} | sample_initial, my own words
reduce exits_rhs.py --latent-dim 1 {r} | rhs, exit
reduce shape_rhs.py --latent-dim 1 {r} | rhs, shape
reduce shape_initial.py --latent-dim 1 {r} | sample_initial, shape
reduce text_rhs.py --latent-dim 1 {r} | rhs, dtype
reduce none_rhs.py --latent-dim 1 {r} | rhs
reduce nan_rhs.py --latent-dim 1 {r} | rhs, finite
reduce complex_rhs.py --latent-dim 1 {r} | rhs, complex
reduce float_dim.py --latent-dim 1 {r} | dim
reduce negative_dim.py --latent-dim 1 {r} | dim
reduce text_dim.py --latent-dim 1 {r} | dim
reduce text_parameters.py --latent-dim 1 {r} | parameter
reduce no_function.py --latent-dim 1 {r} | rhs
reduce one_argument.py --latent-dim 1 {r} | rhs
reduce no_system.py --latent-dim 1 {r} | no_system.py, System
reduce raising_system.py --latent-dim 1 {r} | raising_system.py, my own words
reduce leaving_system.py --latent-dim 1 {r} | leaving_system.py, exit
reduce good.py:nothing --latent-dim 1 {r} | nothing
reduce stuart_landau --latent-dim 1 --with mass=2 {r} | mass
reduce stuart_landau --latent-dim 1 --with mu {r} | name=value, mu
reduce stuart_landau --latent-dim 1 --with =3 {r} | name=value
reduce stuart_landau --latent-dim 1 --with mu=a {r} | mu
reduce stuart_landau --latent-dim 1 --with mu=NaN {r} | mu
reduce stuart_landau --latent-dim 1 --with mu=1e999 {r} | mu
reduce stuart_landau --latent-dim 1 --with mu=[1] {r} | mu
reduce stuart_landau --latent-dim 1 --with mu=null {r} | mu
reduce graph_lift --latent-dim 1 --with dim=-2 {r} | dim
reduce graph_lift --latent-dim 1 --with dim=2.5 {r} | dim
reduce graph_lift --latent-dim 1 --with dim=many {r} | dim
reduce graph_lift --latent-dim 1 --with dim=1000000000000 {r} | memory
reduce kuramoto_sivashinsky --latent-dim 1 --with points=7.5 {r} | points
reduce kuramoto_sivashinsky --latent-dim 1 --with length=-4 {r} | length
reduce kuramoto_sivashinsky --latent-dim 1 --with length=0 {r} | length
reduce data.npz --latent-dim 1 --with mu=1 {r} | with
reduce stuart_landau --latent-dim 1 {r} --set | set
reduce stuart_landau --latent-dim 1 {r} --set data | name=value
reduce stuart_landau --latent-dim 1 {r} --set data=3 | data
reduce stuart_landau --latent-dim 1 {r} --set nothing=3 | nothing
reduce stuart_landau --latent-dim 1 {r} --set data.trian=3 | train
reduce stuart_landau --latent-dim 1 {r} --set data..train=3 | data
reduce stuart_landau --latent-dim 1 {r} --set data.train.more=3 | data.train
reduce stuart_landau --latent-dim 1 {r} --set data.train=0 | train, 0
reduce stuart_landau --latent-dim 1 {r} --set data.train=1.5 | train, 1.5
reduce stuart_landau --latent-dim 1 {r} --set data.train=true | train
reduce stuart_landau --latent-dim 1 {r} --set data.train=null | train
reduce stuart_landau --latent-dim 1 {r} --set data.train= | train
reduce stuart_landau --latent-dim 1 {r} --set data.train=many | train, many
reduce stuart_landau --latent-dim 1 {r} --set data.train=1e12 | train
reduce stuart_landau --latent-dim 1 {r} --set data.train=1000000000000 | memory
reduce stuart_landau --latent-dim 1 {r} --set data.test=-1 | test, -1
reduce stuart_landau --latent-dim 1 {r} --set data.validation=[2] | validation
reduce stuart_landau --latent-dim 1 {r} --set data.duration=0 | duration, 0
reduce stuart_landau --latent-dim 1 {r} --set data.duration=-1 | duration, -1
reduce stuart_landau --latent-dim 1 {r} --set data.duration=NaN | duration, nan
reduce stuart_landau --latent-dim 1 {r} --set data.duration=Infinity | duration, inf
reduce stuart_landau --latent-dim 1 {r} --set data.duration=1e999 | duration
reduce stuart_landau --latent-dim 1 {r} --set data.duration=1e15 | memory
reduce stuart_landau --latent-dim 1 {r} --set data.duration=long | duration, long
reduce stuart_landau --latent-dim 1 {r} --set data.sampling=0 | sampling, 0
reduce stuart_landau --latent-dim 1 {r} --set data.sampling=3 | sampling, 3
reduce stuart_landau --latent-dim 1 {r} --set data.sampling=1e-15 | memory
reduce stuart_landau --latent-dim 1 {r} --set data.sampling=true | sampling
reduce stuart_landau --latent-dim 1 {r} --set data.horizon=-1 | horizon, -1
reduce stuart_landau --latent-dim 1 {r} --set data.horizon=false | horizon
reduce stuart_landau --latent-dim 1 {r} --set data.transient=-1 | transient, -1
reduce stuart_landau --latent-dim 1 {r} --set data.transient=NaN | transient, nan
reduce stuart_landau --latent-dim 1 {r} --set data.transient=Infinity | transient, inf
reduce stuart_landau --latent-dim 1 {r} --set data.transient=x | transient, x
reduce stuart_landau --latent-dim 1 {r} --set data.solver=nothing | solver, nothing
reduce stuart_landau --latent-dim 1 {r} --set data.solver=explicite | explicit
reduce stuart_landau --latent-dim 1 {r} --set data.solver=3 | solver, 3
reduce stuart_landau --latent-dim 1 {r} --set data.solver=etdrk4 | etdrk4
reduce stuart_landau --latent-dim 1 {r} --set data.solver=os:system | solver
reduce stuart_landau --latent-dim 1 {r} --set threshold=0 | threshold, 0
reduce stuart_landau --latent-dim 1 {r} --set threshold=NaN | threshold, nan
reduce stuart_landau --latent-dim 1 {r} --set threshold=half | threshold, half
reduce stuart_landau --latent-dim 1 {r} --set seed=1.5 | seed, 1.5
reduce stuart_landau --latent-dim 1 {r} --set seed=true | seed
reduce stuart_landau --latent-dim 1 {r} --set latent_dim=1.0 | latent_dim, 1.0
reduce stuart_landau --latent-dim 1 {r} --set source=3 | source
reduce stuart_landau --latent-dim 1 {r} --set source= | source
reduce stuart_landau --latent-dim 1 {r} --set arguments=3 | arguments
reduce stuart_landau --latent-dim 1 {r} --set reducer.latent_dim=7 | latent_dim, 7
reduce stuart_landau --latent-dim 1 {r} --set reducer=pod | reducer
reduce stuart_landau --latent-dim 1 {r} --set reducer.kind=pod | kind
reduce stuart_landau --latent-dim 1 {r} --set reducer.width=0 | width, 0
reduce stuart_landau --latent-dim 1 {r} --set reducer.width=1000000000 | memory
reduce stuart_landau --latent-dim 1 {r} --set reducer.width=[4,4] | width
reduce stuart_landau --latent-dim 1 {r} --set reducer.depth=2.5 | depth, 2.5
reduce stuart_landau --latent-dim 1 {r} --set reducer.depth=3000000 | depth
reduce stuart_landau --latent-dim 1 {r} --set reducer.activation=relux | activation, relux
reduce stuart_landau --latent-dim 1 {r} --set reducer.activation=3 | activation, 3
reduce stuart_landau --latent-dim 1 {r} --set reducer.tolerance=0 | tolerance, 0
reduce stuart_landau --latent-dim 1 {r} --set reducer.tolerance=NaN | tolerance, nan
reduce stuart_landau --latent-dim 1 {r} --set reducer.residual=1 | residual, 1
reduce stuart_landau --latent-dim 1 {r} --set reducer.residual=yes | residual, yes
reduce stuart_landau --latent-dim 1 {r} --set reducer.parametric=0 | parametric, 0
reduce stuart_landau --latent-dim 1 {r} --set reducer.training=none | training
reduce stuart_landau --latent-dim 1 {r} --set reducer.training.steps=0 | steps, 0
reduce stuart_landau --latent-dim 1 {r} --set reducer.training.steps=2.0 | steps, 2.0
reduce stuart_landau --latent-dim 1 {r} --set reducer.training.batch_size=-8 | batch_size, -8
reduce stuart_landau --latent-dim 1 {r} --set reducer.training.learning_rate=0 | learning_rate, 0
reduce stuart_landau --latent-dim 1 {r} --set reducer.training.learning_rate=1e999 | learning_rate
reduce stuart_landau --latent-dim 1 {r} --set reducer.training.muon=NaN | muon, nan
reduce stuart_landau --latent-dim 1 {r} --set reducer.training.weight_decay=1 | weight_decay, 1
reduce stuart_landau --latent-dim 1 {r} --set reducer.training.weight_decay=NaN | weight_decay, nan
reduce stuart_landau --latent-dim 1 {r} --set reducer.training.warmup=x | warmup, x
reduce stuart_landau --latent-dim 1 {r} --set reducer.training.time_limit=0 | time_limit, 0
reduce stuart_landau --latent-dim 1 {r} --set reducer.training.validations=true | validations
reduce stuart_landau --latent-dim 1 {r} --set dynamics.width=-4 | width, -4
reduce stuart_landau --latent-dim 1 {r} --set dynamics.nothing=1 | nothing
reduce stuart_landau --latent-dim 1 {r} --set partition.charts=1.5 | charts, 1.5
reduce stuart_landau --latent-dim 1 {r} --set partition=null | partition
reduce stuart_landau --latent-dim 1 {r} --set joint=3 | joint
reduce stuart_landau --latent-dim 1 {r} --set joint.steps=x | steps
reduce stuart_landau --latent-dim 1 {r} --out '' | out
reduce stuart_landau --latent-dim 1 {r} --out note.txt | out, note.txt
reduce stuart_landau --latent-dim 1 {r} --out note.txt/run | out, note.txt
reduce stuart_landau --latent-dim 1 {r} --out {long} | out
reduce stuart_landau --latent-dim 1 {r} --out {deep} | out
reduce stuart_landau --latent-dim 1 {r} --out fifo | out, fifo
reduce stuart_landau --latent-dim 1 {r} --out /dev/full | out, /dev/full
reduce stuart_landau --latent-dim 1 {r} --out /dev/null/x | out
reduce stuart_landau --latent-dim 1 {r} --out /proc/run | out
reduce stuart_landau --latent-dim 1 {r} --out run | out, resume, overwrite
reduce stuart_landau --latent-dim 1 {r} --out data.zarr | out, data.zarr
reduce stuart_landau --latent-dim 1 {r} --out data.npz --overwrite | out, data.npz
reduce stuart_landau --latent-dim 1 {r} --out run --resume | resume, differ
reduce stuart_landau --latent-dim 1 {r} --out run --resume --overwrite | resume, overwrite
reduce stuart_landau --latent-dim 1 {r} --out out --resume=maybe | resume
reduce stuart_landau --latent-dim 1 {r} --out out --unknown | unknown
reduce stuart_landau --latent-dim 1 {r} more | more
reduce stuart_landau --latent-dim 1 {r} --json=3 | json
"""
OTHERS = """
 nothing | nothing
reduc stuart_landau | reduc
--unknown | unknown
simulate | system
simulate stuart_landau {s} | out
simulate stuart_landau {s} --out | out
simulate stuart_landau {s} --out '' | out
simulate stuart_landau {s} --out out | .npz
simulate stuart_landau {s} --out out.csv | .npz
simulate stuart_landau {s} --out data.npz | out, data.npz, overwrite
simulate stuart_landau {s} --out data.zarr | out, data.zarr, overwrite
simulate stuart_landau {s} --out folder.npz --overwrite | folder.npz
simulate stuart_landau {s} --out folder.zarr --overwrite | folder.zarr
simulate stuart_landau {s} --out file.zarr --overwrite | file.zarr
simulate stuart_landau {s} --out other.npz --overwrite | other.npz
simulate stuart_landau {s} --out fifo.npz | fifo.npz
simulate stuart_landau {s} --out fifo.npz --overwrite | fifo.npz
simulate stuart_landau {s} --out note.txt/d.npz | note.txt
simulate stuart_landau {s} --out {long}.npz | out
simulate stuart_landau {s} --out {deep}.npz | out
simulate stuart_landau {s} --out /proc/x.npz | /proc
simulate stuart_landau {s} --out /dev/full/x.npz | out
simulate stuart_landua {s} --out o.npz | stuart_landau
simulate run {s} --out o.npz | run
simulate data.npz {s} --out o.npz | data.npz
simulate bad_rhs.py {s} --out o.npz | my own words
simulate leaves.py {s} --out o.npz | exit
simulate exits_rhs.py {s} --out o.npz | exit
simulate nan_rhs.py {s} --out o.npz | finite
simulate stuart_landau --out o.npz --duration 1 --n 0 | n, 0
simulate stuart_landau --out o.npz --duration 1 --n -4 | n, -4
simulate stuart_landau --out o.npz --duration 1 --n 2.5 | n, 2.5
simulate stuart_landau --out o.npz --duration 1 --n 1000000000000 | memory
simulate stuart_landau --out o.zarr --duration 1 --n 1000000000000000 | n
simulate stuart_landau --out o.npz --n 2 --duration 0 | duration, 0
simulate stuart_landau --out o.npz --n 2 --duration -1 | duration, -1
simulate stuart_landau --out o.npz --n 2 --duration nan | duration, nan
simulate stuart_landau --out o.npz --n 2 --duration inf | duration, inf
simulate stuart_landau --out o.npz --n 2 --duration 1e300 | duration
simulate stuart_landau --out o.npz --n 2 --duration 1 --sampling 0 | sampling, 0
simulate stuart_landau --out o.npz --n 2 --duration 1 --sampling 2 | sampling, 2
simulate stuart_landau --out o.npz --n 2 --duration 1 --sampling nan | sampling, nan
simulate stuart_landau --out o.npz --n 2 --duration 1 --sampling 1e-300 | sampling
simulate stuart_landau {s} --out o.npz --transient -1 | transient, -1
simulate stuart_landau {s} --out o.npz --transient nan | transient, nan
simulate stuart_landau {s} --out o.npz --transient inf | transient, inf
simulate stuart_landau {s} --out o.npz --solver nothing | solver, nothing
simulate stuart_landau {s} --out o.npz --solver etdrk4 | etdrk4
simulate stuart_landau {s} --out o.npz --solver '' | solver
simulate stuart_landau {s} --out o.npz --seed -1 | seed, -1
simulate stuart_landau {s} --out o.npz --seed x | seed, x
simulate stuart_landau {s} --out o.npz --time-limit 0 | time_limit, 0
simulate stuart_landau {s} --out o.npz --time-limit nan | time_limit, nan
simulate stuart_landau {s} --out o.npz --time-limit -5 | time_limit, -5
simulate stuart_landau {s} --out o.npz --set rho=1 | rho
simulate stuart_landau {s} --out o.npz --set mu=a | mu
simulate stuart_landau {s} --out o.npz --set mu=NaN | mu
simulate stuart_landau {s} --out o.npz --set mu=true | mu
simulate stuart_landau {s} --out o.npz --set mu=null | mu
simulate stuart_landau {s} --out o.npz --set mu=[1,2,3] | mu
simulate stuart_landau {s} --out o.npz --set mu | name=value
simulate stuart_landau {s} --out o.npz --with mass=3 | mass
simulate stuart_landau {s} --out o.npz --resume | resume
inspect | source
inspect nothing | nothing
inspect data.npz --out page.pdf | out, .html
inspect data.npz --out '' | out
inspect data.npz --out mine | out, .html
inspect data.npz --out page.html --latent-dim 0 | latent_dim, 0
inspect data.npz --latent-dim 1.5 | latent-dim, 1.5
inspect data.npz --seed -1 | seed, -1
inspect data.npz --with a=1 | with
inspect data.npz --set mu=1 | set
inspect data.npz --out other.html | other.html
inspect data.npz --out folder.html | folder.html
inspect missing.npz | missing.npz
inspect stuart_landau -n 0 | n, 0
inspect stuart_landau -n 1.5 | n, 1.5
inspect few.npz | points
evaluate | runs
evaluate missing | missing
evaluate mine | mine, run
evaluate note.txt | note.txt, run
evaluate '' | run
evaluate {long} | run
evaluate half | half
evaluate run missing | missing
evaluate run --device gpu | device, gpu
evaluate run --long=3 | long
evaluate data.zarr | data.zarr
evaluate fifo | fifo
evaluate run --unknown | unknown
certify | run
certify missing | missing
certify mine | mine
certify half | half
certify run --samples 0 | samples, 0
certify run --samples -1 | samples, -1
certify run --samples 1 | samples, 1
certify run --samples 2.5 | samples, 2.5
certify run --samples nan | samples, nan
certify run --samples 10000000000000 | memory
certify run --seed -1 | seed, -1
certify run more | more
certify note.txt | note.txt
lyapunov | source
lyapunov nothing {l} | nothing
lyapunov mine {l} | mine
lyapunov note.txt {l} | note.txt
lyapunov data.npz {l} | data.npz
lyapunov half {l} | half
lyapunov run {l} --with mu=1 | with
lyapunov stuart_landau {l} --k 0 | k, 0
lyapunov stuart_landau {l} --k 3 | k, 3
lyapunov stuart_landau {l} --k -1 | k, -1
lyapunov stuart_landau {l} --k 1.5 | k, 1.5
lyapunov stuart_landau {l} --solver nothing | solver, nothing
lyapunov stuart_landau {l} --seed -1 | seed, -1
lyapunov stuart_landau {l} --set rho=1 | rho
lyapunov stuart_landau {l} --set mu=x | mu
lyapunov stuart_landau --n 0 --duration 1 --interval .1 | n, 0
lyapunov stuart_landau --n 1 --duration 0 --interval .1 | duration, 0
lyapunov stuart_landau --n 1 --duration nan --interval .1 | duration, nan
lyapunov stuart_landau --n 1 --duration -1 --interval .1 | duration, -1
lyapunov stuart_landau --n 1 --duration 1 --interval 0 | interval, 0
lyapunov stuart_landau --n 1 --duration 1 --interval nan | interval, nan
lyapunov stuart_landau --n 1 --duration 1 --interval -1 | interval, -1
lyapunov stuart_landau --n 1 --duration 1 --interval 5 | interval, 5
lyapunov stuart_landau --n 1000000000000 --duration 1 --interval .1 | n
lyapunov good.py {l} | torch
lyapunov bad_rhs.py {l} | my own words
systems nothing | nothing
systems stuart_landua | stuart_landau
systems stuart_landau --with mass=1 | mass
systems stuart_landau --with mu | name=value
systems missing.py | missing.py
systems syntax.py | syntax.py
systems leaves.py | exit
systems '' | system
systems one two | two
"""


def table() -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """(line, tokens, words) of every line."""
    found = []
    for line in [*REDUCE.splitlines(), *OTHERS.splitlines()]:
        if line:
            tokens, _, words = line.rpartition(" | ")
            found.append((tokens, tuple(shlex.split(tokens.format(**SMALL))), tuple(words.split(", "))))
    return found
