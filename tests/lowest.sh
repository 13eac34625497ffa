#!/usr/bin/env bash
# The lowest versions that pyproject.toml allows: installed into an environment of their own, where
# the demo and a quick set of tests must pass. It needs uv and the network.
#
#     bash tests/lowest.sh               in a new folder, which is removed
#     bash tests/lowest.sh FOLDER        in this one, which stays
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if ! command -v uv >/dev/null; then
    echo "uv was not found. Install it (pip install uv), then run this again." >&2
    exit 1
fi

folder="${1:-}"
if [[ -z "$folder" ]]; then
    folder="$(mktemp -d)"
    trap 'rm -rf "$folder"' EXIT
fi
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
# as it would be fetched by a reader; nothing that this machine happens to have
export XDG_CACHE_HOME="$folder/cache" PYTHONPATH=

# built from a copy, so that nothing is left in the checkout
mkdir -p "$folder/source"
git ls-files -co --exclude-standard -z -- . ':!docs' | xargs -0 cp --parents -t "$folder/source"

# The lowest versions are older than Python 3.12. torch comes without its GPU libraries, unless
# UV_TORCH_BACKEND says otherwise; empty, it comes from the package index
export UV_TORCH_BACKEND="${UV_TORCH_BACKEND-cpu}"
[[ -n "$UV_TORCH_BACKEND" ]] || unset UV_TORCH_BACKEND
uv venv --quiet --python 3.11 "$folder/venv"
python="$folder/venv/bin/python"
uv pip install --quiet --python "$python" --resolution lowest-direct \
    "$folder/source"
uv pip install --quiet --python "$python" pytest pytest-xdist hypothesis pyyaml
uv pip list --python "$python"

echo "== the demo, which ends with the number that README.md promises"
promised="$(grep -o '`run.score` is 0\.[0-9]*' README.md | grep -o '0\.[0-9]*')"
percent="$("$python" -c "print(f'{$promised:.1%}'.replace('%', ' %'))")"
(cd "$folder" && venv/bin/pseudolab demo | tee demo.txt && venv/bin/pseudolab doctor)
"$folder/venv/bin/pseudolab" run --help >/dev/null
grep -F "GRIP ended at $percent" "$folder/demo.txt"

# Of the checkout's tests, those that reach every library once and start no other program
quick=(
    tests/unit/test_settings.py
    tests/unit/test_io.py
    tests/unit/test_images.py
    tests/unit/test_tasks.py
    tests/unit/test_worlds.py
    tests/unit/test_selectors.py
    tests/unit/test_prompts.py
    tests/unit/test_recipe.py
    tests/unit/test_report.py
    tests/unit/test_run_folder.py
    tests/unit/test_live.py
    tests/unit/test_lessons.py
    tests/unit/test_cli.py
)
echo "== a quick set"
"$python" -m pytest -q -n 0 -m "not slow and not browser and not gpu" "${quick[@]}"
