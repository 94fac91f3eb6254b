#!/usr/bin/env bash
# Layout, syntax, the rules of the house and clang-tidy; every step runs, each failure is named.
# --all gives clang-tidy every file instead of what changed and a sample.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=()
step() {
  local name=$1
  shift
  if "$@"; then
    echo "ok    $name"
  else
    echo "FAIL  $name"
    failed+=("$name")
  fi
}

# Files that git knows or would add, except those already deleted.
files() {
  git ls-files -co --exclude-standard -- "$@" | while read -r file; do
    [[ -f $file ]] && echo "$file"
  done
}

layout() {
  files '*.cc' '*.h' | xargs -r clang-format --dry-run -Werror
}

shell_syntax() {
  local file bad=0
  while read -r file; do
    [[ $(head -c 30 "$file" | head -n 1) == '#!'*bash* ]] || continue
    bash -n "$file" || bad=1
  done < <(files dev '.ci/*' 'tools/*' '*.sh')
  return $bad
}

python_syntax() {
  files '*.py' tools/tidy | xargs -r /usr/bin/python3 -c '
import sys
for path in sys.argv[1:]:
    compile(open(path, encoding="utf-8").read(), path, "exec")'
}

step "clang-format" layout
step "bash -n" shell_syntax
step "python syntax" python_syntax
step "tools/tidy" tools/tidy
# Not in CI: a sample would judge a change by files that it did not touch.
if [[ -z ${CI:-} || ${1:-} == --all ]]; then
  step "clang-tidy" /usr/bin/python3 tools/clang_tidy.py "$@"
fi

if [[ ${#failed[@]} -ne 0 ]]; then
  echo "lint: failed: ${failed[*]}" >&2
  exit 1
fi
