SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
DEMO := build/demo.h5
# Flags for 'make run' and 'make test', as in: make run RUN_FLAGS='--iterations 3'
RUN_FLAGS ?=
TEST_FLAGS ?=
PEERS := build/peers-venv/bin/python
DEVITO := build/devito-venv/bin/python
# What a build with CUDA needs besides (scripts/cuda/setup): cuda.h, and a library to link with in which nothing is
CUDA_ENV := CGO_CFLAGS="-O2 -g -I$(CURDIR)/build/cuda/include" CGO_LDFLAGS="-O2 -g -L$(CURDIR)/build/cuda/lib"
# Tests of what runs on GPUs, through a driver that runs the same kernels on the CPU
CUDA_TEST = $(CUDA_ENV) FAKECUDA_DEVICES=2 FWI_CUDA_DRIVER=$(CURDIR)/build/cuda/fake/libcuda.so.1 go test -json $(TEST_FLAGS) -tags cuda

.PHONY: help setup build cuda ptx run test bench-kernels bench-storage bench-peers bench-accuracy bench-convergence bench-convergence-quick verify clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## install the compiler and the libraries that are missing (Debian, Ubuntu)
	@scripts/setup

build: setup ## build bin/fwi
	@test -e bin/fwi || echo "build: the wave kernels are compiled for three instruction sets, which takes one to five minutes the first time"
	@go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/fwi ./cmd/fwi

cuda: setup ## build bin/fwi-cuda, which uses NVIDIA GPUs where there are any
	@scripts/cuda/setup
	@$(CUDA_ENV) go build -tags cuda -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/fwi-cuda ./cmd/fwi
	@! readelf -d bin/fwi-cuda | grep libcuda || { echo "bin/fwi-cuda must not be linked with libcuda"; exit 1; }

ptx: setup ## compile the CUDA kernels anew, after a change to them
	@scripts/cuda/ptx

run: build ## make a demonstration problem and invert it
	@mkdir -p build
	@test -e $(DEMO) || bin/fwi demo $(DEMO)
	@bin/fwi run $(DEMO) --out build/demo-result --overwrite $(RUN_FLAGS)

test: setup ## vet and run all tests, and count them
	@echo "test: vetting and compiling first, three times over (plain, with the fake GPU driver, with the race detector); in all 10 to 30 minutes on two cores"
	@go vet ./...
	@mkdir -p build
	@go build -o build/count-tests ./scripts/count-tests
	@scripts/setup cuda
	@scripts/cuda/setup fake
	@$(CUDA_ENV) go vet -tags cuda ./kernels/cuda ./internal/cudashim ./wave ./cmd/fwi
	@{ status=0; \
		go test -json $(TEST_FLAGS) ./... || status=1; \
		$(CUDA_TEST) ./kernels/cuda || status=1; \
		$(CUDA_TEST) -run CUDA ./wave ./cmd/fwi || status=1; \
		$(CUDA_TEST) -race -short ./kernels/cuda || status=1; \
		$(CUDA_TEST) -race -short -run 'CUDA(Several|Batches|Stops)' ./wave || status=1; \
		exit $$status; } | build/count-tests scripts/test-floor

bench-kernels: setup ## measure the wave kernels against what a core can do
	@go build -ldflags '-X main.version=$(VERSION)' -o build/bench-kernels ./bench/kernels
	@build/bench-kernels

bench-storage: setup ## measure memory and time of the storage strategies of the forward field
	@go build -o build/bench-storage ./bench/storage
	@build/bench-storage
	@build/bench-storage -time

bench-peers: ## install the codes to compare with and time them side by side with this one
	@scripts/setup peers
	@test -x $(PEERS) || /usr/bin/python3 -m venv --system-site-packages build/peers-venv
	@$(PEERS) -m pip install -q --disable-pip-version-check --no-deps -r bench/peers/requirements.txt
	@test -x $(DEVITO) || /usr/bin/python3 -m venv build/devito-venv
	@$(DEVITO) -m pip install -q --disable-pip-version-check -r bench/peers/requirements-devito.txt
	@$(PEERS) bench/peers/run.py --devito $(DEVITO)

bench-accuracy: build ## time to solution against the same inversion written with Deepwave (after 'make bench-peers'; PROBLEM=FILE.h5)
	@$(PEERS) bench/peers/accuracy.py $(PROBLEM)

bench-convergence: build ## compare methods on generated sections and, where it is, Marmousi: two hours
	@bench/convergence/run

bench-convergence-quick: build ## compare methods on small sections: under five minutes
	@bench/convergence/run --quick

verify: build ## measure everything that docs/verification.md states, and write it anew
	@scripts/verify

clean: ## remove what was built
	rm -rf bin build
