#!/usr/bin/env bash
# Installs the packages of tools/packages.txt that are missing. Does nothing, fast, when none is.
# Needs bash and apt only; runs as root or through sudo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages() {
  while read -r name _; do
    [[ -z $name || $name == \#* ]] || echo "$name"
  done < tools/packages.txt
}

# What another package brings counts: Node.js from elsewhere brings npm.
provided() {
  dpkg-query -W -f '${db:Status-Status} ${Provides}\n' | sed -n 's/^installed //p' |
    tr ',' '\n' | sed 's/ (.*//; s/ //g' | grep -Fx -- "$1" > /dev/null
}

missing() {
  local -A installed=()
  local name status
  while read -r name status; do
    [[ $status == installed ]] && installed[$name]=1
  done < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null)
  for name in "${wanted[@]}"; do
    [[ -n ${installed[$name]:-} ]] || provided "$name" || echo "$name"
  done
}

# Debian starts a daemon when its package is installed. Tests start their own redis-server, and a
# developer's machine must not be left with one more service.
policy=/usr/sbin/policy-rc.d
forbid_services() {
  [[ -e $policy ]] && return
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" > /dev/null
  $sudo chmod 755 "$policy"
  trap 'allow_services' EXIT
}
allow_services() {
  $sudo rm -f "$policy"
}

mapfile -t wanted < <(packages)
mapfile -t needed < <(missing)
[[ ${#needed[@]} -eq 0 ]] && exit 0

sudo=""
if [[ $EUID -ne 0 ]]; then
  sudo="sudo"
  command -v sudo > /dev/null || {
    echo "setup: missing, with neither root nor sudo to install them:" >&2
    printf '  %s\n' "${needed[@]}" >&2
    exit 1
  }
fi

echo "setup: installing ${needed[*]}"
install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends
  -o Dpkg::Use-Pty=0 "${needed[@]}")
forbid_services
$sudo apt-get update -qq
$sudo "${install[@]}" > /dev/null
if [[ " ${needed[*]} " == *" redis-server "* && -d /run/systemd/system ]]; then
  $sudo systemctl disable --quiet redis-server || true
fi

mapfile -t needed < <(missing)
if [[ ${#needed[@]} -ne 0 ]]; then
  echo "setup: still missing after the installation: ${needed[*]}" >&2
  exit 1
fi
