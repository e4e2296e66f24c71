# What every script of this folder needs first: `source` it, then call `setup`. Sets `root`, the checkout. A script finds
# this file by `readlink -f`, for it may have been started by a link from anywhere.
# With CDPATH `cd` may go elsewhere, and says so on stdout.
unset CDPATH
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)

# npm warns of settings that a machine may have; they say nothing about the project.
npm() { command npm --no-update-notifier --no-audit --no-fund --loglevel=error "$@"; }

die() {
  echo "$1" >&2
  exit 1
}

need_node() {
  command -v node >/dev/null || die 'node is not installed: Moloch needs Node.js 20.19 or later'
  command -v npm >/dev/null || die 'npm is not installed: it comes with Node.js 20.19 or later'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    die "node $(node --version) is too old: Moloch needs Node.js 20.19 or later"
}

# What the installed packages are for: this system and Node.js, and this lockfile.
wanted_packages() {
  echo "$(node -p 'process.platform + process.arch + process.versions.modules') $(cksum <"$root/package-lock.json")"
}

are_packages_installed() {
  local stamp=$root/node_modules/.moloch-lock
  [ -r "$stamp" ] && [ "$(cat "$stamp")" = "$(wanted_packages)" ]
}

# Installs the packages when the lockfile is not the one that was installed last. No package's own scripts are run.
install_packages() {
  are_packages_installed && return
  echo 'installing packages (npm ci)' >&2
  (cd "$root" && npm ci --ignore-scripts) >&2 || die 'npm ci failed: its own message is above'
  wanted_packages >"$root/node_modules/.moloch-lock"
}

# Says why the checkout has to be set up, and nothing if it need not be.
why_set_up() {
  are_packages_installed || {
    echo 'its packages are not installed for this Node.js and lockfile'
    return
  }
  node "$root/scripts/lib/build.mjs" --check
}

# need_to_write WHY: whoever may not write to the checkout is told so, and who may.
need_to_write() {
  local path
  for path in "$root" "$root"/{.cache,.cache/setup.lock,dist,node_modules,src/codec/generated}; do
    [ ! -e "$path" ] || [ -w "$path" ] ||
      die "$1, and $(id -un) may not write to $path: run $root/scripts/moloch version once as $(owner_of "$path"), or use a checkout of your own"
  done
}

# shellcheck disable=SC2012
owner_of() { ls -ld "$1" | awk '{ print $3 }'; }

# One set-up at a time in a checkout: a second one waits for the first and finds everything done. A checkout that is
# set up already is only read: it may be somebody else's.
setup() {
  local why
  need_node
  why=$(why_set_up) || die "$(id -un) cannot read all of $root"
  [ -z "$why" ] && return
  need_to_write "$root has to be set up: $why"
  mkdir -p "$root/.cache"
  exec 9>"$root/.cache/setup.lock"
  if command -v flock >/dev/null; then flock 9; fi
  install_packages
  node "$root/scripts/lib/build.mjs" >&2 || die 'the build failed: the compiler said why above'
  exec 9>&-
}
