#!/usr/bin/env bash
# The Envoy of the router image, without the image.
# Usage: envoy.sh FOLDER PYTHON
set -euo pipefail
folder=$1 python=$2
if command -v uv >/dev/null; then
  [[ -x $folder/bin/python ]] || uv venv -q --python "$python" "$folder"
  VIRTUAL_ENV=$folder uv pip install -q --require-hashes -r training_images/router/requirements.lock
else
  [[ -x $folder/bin/python ]] || "$python" -m venv "$folder"
  "$folder/bin/pip" install -q --require-hashes -r training_images/router/requirements.lock
fi
