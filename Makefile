# make demo   set up everything, run the default workflow, end with results/report.html
# make test   set up everything, run the checks and the tests
# make bench   the speed, beside stated peers
# make validate   check the simulated detectors against published figures, then the slow tests
# make clean   remove what is made again in no time: caches, builds, logs
# make distclean   remove all that is not in the repository's care: results and .venv too
PYTHON ?= python3
VENV   ?= .venv
CORES  ?= 2
BIN     = $(VENV)/bin
# Rules call `hepcnn`: the environment's own, whatever else is installed.
RUN     = PATH="$(CURDIR)/$(BIN):$$PATH"

SOURCES = hepcnn tests benchmarks
# A thread a job: the same bits with any number of cores.
ONE     = train=1 predict=1 predict_baseline=1

.PHONY: demo test check bench validate clean distclean

demo: $(VENV)/.ready
	$(RUN) snakemake --cores $(CORES) --quiet host rules --rerun-incomplete --set-threads $(ONE)
	@cat results/tasks/lartpc_particle/tables/classes.md results/tasks/rich_pid/tables/printout_ours.txt

test: $(VENV)/.ready check
	$(RUN) pytest -n $(CORES) --dist loadfile --no-loadscope-reorder

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.ready
	$(BIN)/pip install --quiet --disable-pip-version-check --prefer-binary -c constraints.txt -e '.[bench]'
	$(RUN) python -m benchmarks

validate: $(VENV)/.ready
	$(RUN) hepcnn validate rich -o results/validation/rich
	$(RUN) hepcnn validate lartpc -o results/validation/lartpc
	$(RUN) pytest -m validate

# Wheels only: nothing is compiled. The constraints pin one set of versions seen to work together.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --prefer-binary -c constraints.txt -e '.[test]'
	touch $@

# Not Snakemake's own notes: by them it knows which results are out of date.
clean:
	rm -rf build logs *.egg-info .mypy_cache .pytest_cache .ruff_cache .snakemake/log
	find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) results .snakemake
