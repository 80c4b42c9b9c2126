# make serve | test | lint | proto | lock | bench
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
TORCH := torch==2.13.0

.PHONY: install install-test serve test lint proto lock bench clean

install: $(VENV)/.installed
install-test: $(VENV)/.installed-test

serve: install
	$(BIN)/posewire serve

# Tests of networks take a core each; the others start servers and look at the clock.
NETWORKS := tests/engines tests/parity tests/training
test: install-test lint
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadgroup $(NETWORKS)
	$(BIN)/pytest $(NETWORKS:%=--ignore %)

lint: install-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# The code that gRPC generates lies in service/pb, and is checked against the .proto by a test.
proto: install-test
	$(BIN)/python -m grpc_tools.protoc -Iservice/pb=proto/pose/v1 -Iservice/pb=proto/inference \
		--python_out=. --pyi_out=. --grpc_python_out=. \
		proto/pose/v1/pose.proto proto/inference/inference.proto

# Needs uv. The lock files hold for every Python and platform that pyproject.toml allows. NVIDIA's
# base image brings TensorRT itself.
COMPILE := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	--group build
lock:
	$(COMPILE) --output-file requirements/serve.txt pyproject.toml
	$(COMPILE) --group test --constraint requirements/serve.txt \
		--output-file requirements/test.txt pyproject.toml
	echo $(TORCH) | $(COMPILE) --extra gpu --extra int8 --constraint - \
		--constraint requirements/serve.txt --no-emit-package tensorrt \
		--no-emit-package tensorrt-cu13 --no-emit-package tensorrt-cu13-bindings \
		--no-emit-package tensorrt-cu13-libs --output-file requirements/gpu.txt pyproject.toml

bench: install
	$(BIN)/posewire bench --images ../shared/coco-mini/images

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements/serve.txt pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes --requirement requirements/serve.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

# torch is pinned by version alone: its CPU and CUDA builds are different files, and which
# one an index offers is the machine's choice.
$(VENV)/.installed-test: requirements/test.txt $(VENV)/.installed
	$(PIP) --require-hashes --requirement requirements/test.txt
	$(PIP) $(TORCH) || echo "no $(TORCH) for this Python: tests that need torch will be skipped"
	touch $@
