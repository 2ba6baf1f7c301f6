# Shared by the scripts beside it: what must be on this machine, and how it gets there.
#
# Everything here is idempotent and quick when there is nothing to do. Only npm and Debian packages
# are fetched. Sourced, not run: `. "$(dirname "$0")/lib.sh"`.

set -eu
repository=$(cd "$(dirname "$0")/.." && pwd)
build=$repository/build

# Node's own release that is fetched where the machine has none that is new enough.
node_wanted=22.23.3
node_least=20.19

say() { printf '%s\n' "weave: $*" >&2; }

die() {
  printf '%s\n' "weave: $1" >&2
  [ $# -lt 2 ] || printf '%s\n' "  $2" >&2
  exit 1
}

# One at a time builds and installs; a second one waits.
lock() { mkdir -p "$build" && exec 9>"$build/.lock" && flock 9; }
unlock() { exec 9>&-; }

require_root() {
  [ "$(id -u)" = 0 ] || die "this needs root" "Run: sudo $0${*:+ $*}"
}

require_debian() {
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
    die "this is not a Debian machine, and packages cannot be installed here" \
      "Install Node.js $node_least or later, etcd, nftables, iptables and iproute2 by hand, then run it again."
}

# A kernel without VXLAN or network namespaces can run nothing of ours; say so before an hour is lost.
require_kernel() {
  command -v ip >/dev/null || return 0 # comes with a package, looked at again later
  unshare --net true 2>/dev/null ||
    die "this machine does not allow network namespaces" "Run it on a virtual or a real machine, not in an unprivileged container."
  unshare --net ip link add wvprobe type vxlan id 1 dstport 4789 2>/dev/null ||
    die "this kernel cannot make VXLAN devices" "Load the module (modprobe vxlan) or use a kernel with CONFIG_VXLAN."
}

# ensure_packages "what for" PACKAGE…
# Installs what is missing and leaves no service running or enabled that was not there before.
ensure_packages() {
  purpose=$1
  shift
  missing=
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  require_debian
  say "installing$missing ($purpose)"
  mkdir -p "$build"
  restore_policy # what an interrupted run left
  printf '%s\n' $missing >"$build/services.new"
  with_services_off install_packages $missing
}

install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  log=$build/apt.log
  apt-get install -y --no-install-recommends "$@" >"$log" 2>&1 && return 0
  # The lists may be old or missing.
  apt-get update >"$log" 2>&1 && apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 && return 0
  tail -n 5 "$log" >&2
  return 1
}

# Debian asks policy-rc.d before it starts a service; ours says no, and then the old one is back.
with_services_off() {
  policy=/usr/sbin/policy-rc.d
  kept=$build/policy-rc.d.kept
  if [ -e "$policy" ]; then cp -p "$policy" "$kept"; else : >"$kept.none"; fi
  trap restore_policy EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  status=0
  "$@" || status=$?
  restore_policy
  trap - EXIT INT TERM
  [ $status = 0 ] || die "packages could not be installed" "See $build/apt.log; check that apt-get works on this machine."
}

restore_policy() {
  policy=/usr/sbin/policy-rc.d
  kept=$build/policy-rc.d.kept
  if [ -e "$kept" ]; then mv "$kept" "$policy"; fi
  if [ -e "$kept.none" ]; then rm -f "$policy" "$kept.none"; fi
  [ -e "$build/services.new" ] || return 0
  disable_services $(cat "$build/services.new")
  rm -f "$build/services.new"
}

# Only for packages that have just been installed: they would start at the next boot.
disable_services() {
  for package in "$@"; do
    case $package in
      etcd-server) disable etcd.service ;;
      docker.io) disable docker.service docker.socket containerd.service ;;
    esac
  done
}

disable() { # UNIT…
  for unit in "$@"; do
    if command -v systemctl >/dev/null; then systemctl disable --quiet "$unit" 2>/dev/null || true; fi
    if [ -e "/etc/init.d/${unit%.*}" ]; then update-rc.d "${unit%.*}" disable >/dev/null 2>&1 || true; fi
  done
}

new_enough() {
  "$1" -e "const [a, b] = process.versions.node.split('.').map(Number), [c, d] = '$node_least'.split('.').map(Number); process.exit(a > c || (a === c && b >= d) ? 0 : 1)" 2>/dev/null
}

# Sets $node to a Node.js that is new enough and puts it first on the PATH; fetches one if need be.
ensure_node() {
  node=$(command -v node || true)
  if [ -n "$node" ] && new_enough "$node" && command -v npm >/dev/null; then return 0; fi
  private=$build/node/bin
  node=$private/node
  if ! { [ -x "$node" ] && new_enough "$node"; }; then
    case $(uname -m) in
      x86_64) platform=linux-x64 ;;
      aarch64) platform=linux-arm64 ;;
      *) die "no Node.js for $(uname -m) is packaged" "Install Node.js $node_least or later by hand." ;;
    esac
    ensure_packages 'to fetch a newer Node.js' npm
    say "fetching Node.js $node_wanted (this machine has ${node_found:-none that is $node_least or later})"
    rm -rf "$build/node" "$build/node.new"
    mkdir -p "$build/node.new"
    (cd "$build/node.new" && npm pack --silent "node-$platform@$node_wanted" >/dev/null && tar -xzf node-*.tgz) ||
      die "Node.js could not be fetched" "Check that npm works on this machine, or install Node.js $node_least or later by hand."
    mkdir -p "$build/node"
    mv "$build/node.new/package/bin" "$private"
    rm -rf "$build/node.new"
  fi
  PATH=$private:$PATH
  export PATH
}

# npm packages as locked, without their install scripts (none is needed). Not `npm ci`: it refuses when a
# registry lacks an optional package of some other platform.
install_modules() { # FOLDER [FLAG…]
  folder=$1
  shift
  attempt=1
  until (cd "$folder" && npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error "$@" >"$build/npm.log" 2>&1); do
    [ $attempt -lt 3 ] || { tail -n 5 "$build/npm.log" >&2; die "npm packages could not be installed" "See $build/npm.log."; }
    attempt=$((attempt + 1))
    sleep 2
  done
}

# Installs the project's npm packages, once per change of the lock file.
ensure_modules() {
  stamp=$repository/node_modules/.weave-lock
  cmp -s "$repository/package-lock.json" "$stamp" 2>/dev/null && return 0
  say "fetching npm packages"
  install_modules "$repository"
  cp "$repository/package-lock.json" "$stamp"
}

# Compiles src/ to dist/ when anything in it is newer.
ensure_build() {
  stamp=$repository/dist/.built
  changed=$(find "$repository/src" "$repository/package.json" "$repository/tsconfig.json" "$repository/tsconfig.build.json" -newer "$stamp" 2>/dev/null | head -n 1 || true)
  [ ! -e "$stamp" ] || [ -n "$changed" ] || return 0
  say "building"
  (cd "$repository" && rm -rf dist && npm run --silent build) || die "the build failed"
  touch "$stamp"
}

# What the product itself calls at run time.
ensure_product() {
  lock
  require_kernel
  ensure_packages 'the router programs the kernel with them' iproute2 nftables iptables
  ensure_packages 'the store of clusters that bring none' etcd-server
  require_kernel
  ensure_node
  ensure_modules
  ensure_build
  unlock
}

# What the lab of Docker hosts needs besides.
ensure_lab() {
  ensure_packages 'Docker hosts on this machine' docker.io etcd-client
  ensure_packages 'images and measurements in them' busybox-static iperf3 tcpdump
}

# What the end-to-end tests need besides. Hosts with other engines than Debian 12's: their systems are made once and kept
# under build/.
ensure_engines() {
  ensure_packages 'resolvers of several kinds, to ask for names' bind9-dnsutils gcc musl-tools
  ensure_packages 'an application of several parts' docker-compose
  ensure_packages 'the systems of later Docker engines' mmdebstrap
  # The preparation asks apt where this machine gets its packages from; lists that were cleaned away do not say.
  apt-get indextargets --format '$(LABEL)' 'Created-By: Packages' | grep -q . || apt-get update >"$build/apt.log" 2>&1 || true
  "$node" --import tsx test/support/lab/prepare.ts ||
    die "hosts with every Docker engine could not be prepared" "Check that apt-get works on this machine, or leave the end-to-end tests out."
}
