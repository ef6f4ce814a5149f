"""Wrong calls of the public functions, as expressions, and the words that the refusal must hold.

One a line, `expression | words`. The names are those of `names()` in test_wrong_calls.py: `data`, `model`, `system`,
`rng`, `lifted` and everything that dynred exports.
"""

CALLS = """
simulate(None, 3, T, rng=rng) | system
simulate("nothing", 3, T, rng=rng) | system
simulate(3, 3, T, rng=rng) | system
simulate(data, 3, T, rng=rng) | system
simulate(system, 0, T, rng=rng) | n, 0
simulate(system, -1, T, rng=rng) | n, -1
simulate(system, 2.5, T, rng=rng) | n, 2.5
simulate(system, True, T, rng=rng) | n, True
simulate(system, "3", T, rng=rng) | n, 3
simulate(system, 10**13, T, rng=rng) | memory
simulate(system, None, T, rng=rng) | n
simulate(system, 3, T, rng=None) | rng
simulate(system, 3, T, rng=0) | rng
simulate(system, 3, T, rng=np.random.default_rng(0)) | rng
simulate(system, 3, [], rng=rng) | times
simulate(system, 3, "now", rng=rng) | times
simulate(system, 3, T.flip(0), rng=rng) | times, increasing
simulate(system, 3, T * 0, rng=rng) | times, increasing
simulate(system, 3, T * nan, rng=rng) | times, finite
simulate(system, 3, T * 1j, rng=rng) | times
simulate(system, 3, T[None], rng=rng) | times
simulate(system, 3, 5.0, rng=rng) | times
simulate(system, 3, {"t": T}, rng=rng) | times
simulate(system, 3, [T, T], rng=rng) | trajectories
simulate(system, 3, T, rng=rng, initial=torch.ones(2, 2)) | trajectories
simulate(system, 3, T, rng=rng, initial=torch.ones(3, 5)) | initial, [3, 2]
simulate(system, None, T, rng=rng, initial=torch.ones(2)) | initial
simulate(system, 3, T, rng=rng, initial=torch.ones(3, 2) * nan) | initial, finite
simulate(system, 3, T, rng=rng, initial=torch.ones(3, 2) * 1j) | initial
simulate(system, 3, T, rng=rng, initial=torch.ones(3, 2) > 0) | initial
simulate(system, 3, T, rng=rng, initial="here") | initial
simulate(system, 3, T, rng=rng, initial=[[1, 2], [3]]) | initial
simulate(system, 3, T, rng=rng, parameters={"rho": 1.0}) | parameters, rho
simulate(system, 3, T, rng=rng, parameters={"mu": "a"}) | mu
simulate(system, 3, T, rng=rng, parameters={"mu": nan}) | mu
simulate(system, 3, T, rng=rng, parameters={"mu": None}) | mu
simulate(system, 3, T, rng=rng, parameters={"mu": True}) | mu
simulate(system, 3, T, rng=rng, parameters={"mu": 1j}) | mu
simulate(system, 3, T, rng=rng, parameters={"mu": torch.ones(2)}) | mu
simulate(system, 3, T, rng=rng, parameters=[1.0]) | parameters
simulate(system, 3, T, rng=rng, parameters={3: 1.0}) | parameters
simulate(system, 3, T, rng=rng, solver="nothing") | solver, nothing
simulate(system, 3, T, rng=rng, solver=3) | solver
simulate(system, 3, T, rng=rng, solver=None) | solver
simulate(system, 3, T, rng=rng, transient=-1) | transient, -1
simulate(system, 3, T, rng=rng, transient=nan) | transient
simulate(system, 3, T, rng=rng, transient="long") | transient
simulate(system, 3, T, rng=rng, transient=inf) | transient
simulate(system, 3, T, rng=rng, time_limit=0) | time_limit, 0
simulate(system, 3, T, rng=rng, time_limit="1") | time_limit
simulate(system, 3, T, rng=rng, time_limit=nan) | time_limit
simulate(system, 3, T, rng=rng, events=[3]) | event
simulate(system, 3, T, rng=rng, events=3) | event
simulate(system, 3, T, rng=rng, store="d.npz") | store
simulate(system, 3, T, rng=rng, store="") | store
simulate(system, 3, T, rng=rng, store=3) | store
simulate(system, 3, [T, T, T], rng=rng, store="d.zarr") | times
find_system("stuart_landua") | stuart_landau
find_system("") | system
find_system(None) | system
find_system(3) | system
find_system("stuart_landau", mass=3) | mass
find_system("stuart_landau", mu="a") | mu
find_system("graph_lift", dim=2.5) | dim
find_system("graph_lift", dim=-1) | dim
System("x", 2, None) | rhs
System("x", 0, lambda t, x: -x) | dim
System("x", 2.0, lambda t, x: -x) | dim
System("x", 2, lambda t, x: -x, transient=-1.0) | transient
System("x", 2, lambda t, x: -x, sampling=0.0) | sampling
System("x", 2, lambda t, x: -x, duration=nan) | duration
System("x", 2, lambda t, x: -x, time_scale=0.0) | time_scale
System("x", 2, lambda t, x: -x, parameters={"a": "b"}) | parameter
System(3, 2, lambda t, x: -x) | name
Trajectories(data.states, data.t, data.lengths[:-1]) | lengths
Trajectories(data.states, data.t[:-1], data.lengths) | t
Trajectories(data.states.numpy(), data.t, data.lengths) | states
Trajectories(data.states * 1j, data.t, data.lengths) | states
Trajectories(data.states > 0, data.t, data.lengths) | states
Trajectories(data.states.long(), data.t, data.lengths) | states
Trajectories(data.states[0], data.t, data.lengths) | states
Trajectories(data.states, data.t.flip(0), data.lengths) | t, increasing
Trajectories(data.states, data.t * nan, data.lengths) | t, finite
Trajectories(data.states, data.t * 1j, data.lengths) | t
Trajectories(data.states, data.t, data.lengths.double()) | lengths
Trajectories(data.states, data.t, data.lengths * 0) | lengths
Trajectories(data.states, data.t, [21] * 12) | lengths
Trajectories(data.states, data.t, data.lengths, data.states[:-1]) | velocities
Trajectories(data.states, data.t, data.lengths, parameters={"a": torch.ones(3)}) | parameter, a
Trajectories(data.states, data.t, data.lengths, parameters={"a": 1.0}) | parameter, a
Trajectories(None, None, None) | states
Trajectories.from_stacked(torch.ones(2, 3), T[:3]) | states
Trajectories.from_stacked(torch.ones(2, 3, 4), T[:4]) | t
Trajectories.concatenate([]) | parts
Trajectories.concatenate([data, lifted]) | dimension
Trajectories.concatenate([data, 3]) | parts
data.split(rng=rng) | fractions
data.split(0.5, 0.6, rng=rng) | fractions
data.split(0.5, nan, rng=rng) | fractions
data.split("half", rng=rng) | fractions
data.split(-0.5, rng=rng) | fractions
data[:1].split(0.5, 0.5, rng=rng) | trajectories
data.split(0.5, rng=None) | rng
data.windows(0) | length, 0
data.windows(2.5) | length, 2.5
data.windows(1000) | length, 1000
data.windows(3, 0) | stride, 0
data.where(data.t < -1) | chosen
data.where(data.t) | chosen
data.map(3) | fn
data.map(lambda x: "text") | fn
data[100] | 100
data["first"] | index
data[1.5] | index
reduce(None, 1) | source
reduce("nothing", 1) | nothing
reduce(system, 0) | latent_dim, 0
reduce(system, 1.0) | latent_dim, 1.0
reduce(system, None) | latent_dim
reduce(system, 1, seed=-1) | seed, -1
reduce(system, 1, seed=1.5) | seed, 1.5
reduce(system, 1, seed=None) | seed
reduce(system, 1, data=3) | data
reduce(system, 1, data=data) | data
reduce(system, 1, reducer="pod") | reducer
reduce(system, 1, reducer=PODSpec) | reducer
reduce(system, 1, dynamics="linear") | dynamics
reduce(system, 1, partition=3) | partition
reduce(system, 1, joint=3) | joint
reduce(system, 1, threshold=0) | threshold, 0
reduce(system, 1, threshold="half") | threshold
reduce(system, 1, runtime=3) | runtime
reduce(data[:1][0].windows(5)[:1], 1) | data
PODSpec(0) | latent_dim, 0
PODSpec(1.0) | latent_dim, 1.0
PODSpec("1") | latent_dim
AutoencoderSpec(2, width=1.5) | width, 1.5
AutoencoderSpec(2, width=True) | width
AutoencoderSpec(2, residual=1) | residual
AutoencoderSpec(2, training=3) | training
AutoencoderSpec(2, tolerance="x") | tolerance
AutoencoderSpec(2, activation=None) | activation
NeuralODESpec(width=0) | width, 0
NeuralODESpec(training={"steps": 3}) | training
PODSpec(1).fit(None, None, rng=rng) | train
PODSpec(1).fit(data.states, data.states, rng=rng) | train
PODSpec(5).fit(data, data, rng=rng) | latent_dim
PODSpec(1).fit(broken, broken, rng=rng) | finite
AutoencoderSpec(1).fit(data, lifted, rng=rng) | validation
AutoencoderSpec(1).fit(data, None, rng=rng) | validation
AutoencoderSpec(1).fit(data, data, rng=None) | rng
LinearSpec().fit(still, still, rng=rng) | velocities
LinearSpec().fit(data.states, data, rng=rng) | latents
NeuralODESpec().fit(still, still, rng=rng) | velocities
ReducedModel(3, model.dynamics) | reducer
ReducedModel(model.reducer, None) | dynamics
ReducedModel(model.reducer, other.dynamics) | latent space
model.predict(torch.ones(3), T) | x0, 2
model.predict(torch.ones(2, 3, 2), T) | x0
model.predict("here", T) | x0
model.predict(None, T) | x0
model.predict([[1, 2], [3]], T) | x0
model.predict(torch.ones(1, 2) * nan, T) | x0, finite
model.predict(torch.ones(1, 2) * 1j, T) | x0
model.predict(torch.ones(1, 2) > 0, T) | x0
model.predict(torch.ones(1, 2), T.flip(0)) | t, increasing
model.predict(torch.ones(1, 2), []) | t
model.predict(torch.ones(1, 2), None) | t
model.predict(torch.ones(1, 2), "now") | t
model.predict(torch.ones(1, 2), T * 1j) | t
model.predict(torch.ones(1, 2), T, 3) | parameters
model.predict(torch.ones(1, 2), T, {"mu": "a"}) | mu
model.encode(torch.ones(3)) | x
model.encode("here") | x
model.encode(torch.ones(1, 2) * 1j) | x
model.decode(torch.ones(1, 5)) | z
model.decode(None) | z
model.decode(torch.ones(1, 1) * 1j) | z
model.reconstruct(torch.ones(1, 3)) | x
model.rollout(torch.ones(1, 1), T.flip(0)) | t, increasing
model.rollout(torch.ones(1, 3), T) | z0
model.rollout(torch.ones(1), T) | z0
model.rollout(torch.ones(1, 1) * nan, T) | z0, finite
model.rhs(0.0, torch.ones(1, 3)) | z
model.rhs("now", torch.ones(1, 1)) | t
model.save("") | path
model.save(None) | path
model.save(3) | path
model.save("a\\0b") | path
model.save("note.txt/model") | note.txt
model.save("note.txt") | note.txt
model.save("mine") | mine
model.export("") | path
model.export("mine") | mine
model.export("note.txt") | note.txt
load_model("") | exist
load_model(None) | path
load_model("missing") | missing
load_model("note.txt") | note.txt
load_model("mine") | mine
load_model("a\\0b") | path
load_trajectories("") | path
load_trajectories(None) | path
load_trajectories("missing.npz") | missing.npz
load_trajectories("note.txt") | note.txt
load_trajectories("a\\0b.npz") | path
load_trajectories("http://127.0.0.1:9/a.nc") | exist
load_trajectories("s3://bucket/a.zarr") | exist
save_trajectories(data, "") | path
save_trajectories(data, None) | path
save_trajectories(data, "d.csv") | .npz
save_trajectories(data, "note.txt/d.npz") | note.txt
save_trajectories(data, "mine.npz") | mine.npz
save_trajectories(None, "d.npz") | trajectories
save_trajectories(model, "d.npz") | trajectories
StoredTrajectories("missing.zarr") | missing.zarr
StoredTrajectories("note.txt") | note.txt
evaluate(None, data) | model
evaluate(model, None) | test
evaluate(model, data.states) | test
evaluate(model, lifted) | test
evaluate(model, data.windows(1)) | test
evaluate(model, data, train=3) | train
evaluate(model, data, train=lifted) | train
evaluate(model, data, threshold=0) | threshold, 0
evaluate(model, data, threshold=nan) | threshold
evaluate(model, data, system="stuart_landau") | system
evaluate(model, data, time_scale=-1.0) | time_scale
evaluate(model, broken) | finite
certify(model, None, rng=rng) | samples
certify(model, torch.ones(5, 3), rng=rng) | samples
certify(model, torch.ones(1, 2), rng=rng) | samples
certify(model, torch.ones(5, 2) * nan, rng=rng) | samples, finite
certify(model, torch.ones(5, 2) * 1j, rng=rng) | samples
certify(model, data, rng=None) | rng
certify(model, data, rng=rng, confidence=2) | confidence, 2
certify(model, data, rng=rng, confidence="high") | confidence
certify(model, data, rng=rng, labels=torch.zeros(3)) | labels
certify(3, data, rng=rng) | model
inspect(None, rng=rng) | data
inspect(torch.ones(3, 2), rng=rng) | data
inspect(torch.ones(100, 2) * nan, rng=rng) | finite
inspect(torch.ones(100), rng=rng) | data
inspect("here", rng=rng) | data
inspect(np.ones((100, 2)) * 1j, rng=rng) | data
inspect(data, rng=None) | rng
inspect(data, rng=rng, latent_dim=0) | latent_dim, 0
compare([], data) | models
compare([model], None) | test
compare([3], data) | models
compare({"a": model, "b": wide}, data) | models
compare([model], data, threshold=-1) | threshold
calibrate(model, None) | validation
calibrate(model, lifted) | validation
lyapunov_spectrum(None, rng=rng) | source
lyapunov_spectrum(system, 0, rng=rng, n=1, duration=1.0) | k, 0
lyapunov_spectrum(system, 1, rng=None, n=1, duration=1.0) | rng
lyapunov_spectrum(system, 1, rng=rng, n=0, duration=1.0) | n, 0
lyapunov_spectrum(system, 1, rng=rng, n=1, duration=nan) | duration
lyapunov_spectrum(system, 1, rng=rng, n=1, duration=1.0, interval=-1.0) | interval
lyapunov_spectrum(system, 1, rng=rng, n=1, duration=1.0, initial=torch.ones(1, 3)) | initial
lyapunov_spectrum(model, 1, rng=rng, n=1, duration=1.0, initial=torch.ones(1, 5)) | initial
observe(None, lambda x: x) | system
observe(system, 3) | map
generator(-1) | seed
generator(1.5) | seed
generator("a") | seed
generator(None) | seed
"""


def table() -> list[tuple[str, tuple[str, ...]]]:
    """(expression, words) of every line."""
    lines = [line.rpartition(" | ") for line in CALLS.splitlines() if line]
    return [(expression, tuple(words.split(", "))) for expression, _, words in lines]
