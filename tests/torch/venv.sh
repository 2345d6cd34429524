#!/usr/bin/env bash
# A Python environment as the training image has it, on CPU, with the launcher from this working copy.
# Usage: venv.sh FOLDER PYTHON
set -euo pipefail
folder=$1 python=$2
version=$(sed -n 's/^ARG TORCH_VERSION=//p' training_images/pytorch/Dockerfile)
index=$(sed -n 's/^ARG TORCH_INDEX_URL=//p' training_images/pytorch/Dockerfile)
if command -v uv >/dev/null; then
  [[ -x $folder/bin/python ]] || uv venv -q --python "$python" "$folder"
  install() { VIRTUAL_ENV=$folder uv pip install -q "$@"; }
else
  [[ -x $folder/bin/python ]] || "$python" -m venv "$folder"
  install() { "$folder/bin/pip" install -q "$@"; }
fi
install --require-hashes -r training_images/pytorch/requirements.lock
install --require-hashes -r training_images/runtime/build-requirements.lock
# As in the image: a local wheel, PyTorch's index of wheels for CPU, any index.
found=()
for wheels in training_images/wheels "${LAMPLIGHTER_WHEELS:-../shared/wheels}"; do
  [[ ! -d $wheels ]] || found+=(--find-links "$wheels")
done
install --no-index "${found[@]}" "torch==$version" 2>/dev/null ||
  install --index-url "$index" "torch==$version" ||
  install "torch==$version"
install --no-deps --no-build-isolation -e training_images/runtime
