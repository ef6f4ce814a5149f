# Two commands on a fresh machine: `make demo` and `make test`. Only python3 with venv, and make, are assumed.
PYTHON ?= python3
OUT ?= runs
BIN := .venv/bin
# Two test processes of one thread each are faster than one process of two threads.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: demo test test-core test-slow test-faults lint format bench reproduce docs dist test-dist clean

demo: .venv/.ready
	$(BIN)/dynred reduce kuramoto_sivashinsky --latent-dim 8 --out $(OUT)/ks --overwrite

test: .venv/.ready
	$(PYTEST)

# With what `pip install dynred` brings alone: tests of what needs an extra are skipped.
test-core: .venv-core/.ready
	OMP_NUM_THREADS=1 .venv-core/bin/python -m pytest -n 2 --dist worksteal

test-slow: .venv/.ready
	$(PYTEST) -m slow

# Kills, damage, hostile files and wrong input, all of it, which takes an hour or two; COUNT=0.1 tries a tenth.
COUNT ?= 1
test-faults: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/faults --faults $(COUNT)

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.ready
	$(BIN)/python benchmarks/derivative_matching.py --out $(OUT)/bench

# Every example at full size, hours together; what was done before is skipped. Then the tables of README and site.
# ONLY="he_2023 symmetry" for some of them; SMALL=1 for trials, which take minutes and are not published.
reproduce: .venv/.docs
	OMP_NUM_THREADS=1 $(BIN)/python docs/reproduce.py --out $(OUT)/$(if $(SMALL),trials,reproduce) $(if $(SMALL),--small) $(if $(ONLY),--only $(ONLY))

# LINKS=1 links names of other libraries and checks links to other sites, for which it needs a network.
docs: .venv/.docs
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -b html docs $(OUT)/site
	$(if $(LINKS),$(BIN)/python -m sphinx --quiet -b linkcheck docs $(OUT)/links)
	@echo "The site is $(OUT)/site/index.html"

# The wheel and the source archive, with what package indexes ask of them.
dist: .venv/.ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt build twine
	rm -rf build dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*

# The wheel in an environment that has nothing else, away from the sources; then the tests of the source archive, from it.
test-dist: dist
	rm -rf .venv-dist
	$(PYTHON) -m venv .venv-dist
	.venv-dist/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd .venv-dist && bin/dynred reduce lorenz63 --latent-dim 2 --out runs/lorenz63
	mkdir -p build && tar -xzf dist/*.tar.gz -C build
	$(MAKE) -C build/dynred-* test

.venv/.docs: .venv/.ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,all]'
	touch $@

.venv-core/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-core
	.venv-core/bin/python -m pip install --quiet --constraint constraints.txt --editable . pytest pytest-xdist hypothesis
	touch $@

clean:
	rm -rf .venv .venv-core .venv-dist build dist *.egg-info
