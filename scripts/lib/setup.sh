# What every script of this folder needs first: `source` it, then call `setup`. Sets `root`, the checkout.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

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

# Installs the packages when the lockfile is not the one that was installed last. No package's own scripts are run.
install_packages() {
  local stamp=$root/node_modules/.moloch-lock
  local lock
  lock="$(node -p 'process.platform + process.arch + process.versions.modules') $(cksum <"$root/package-lock.json")"
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$lock" ] && return
  echo 'installing packages (npm ci)' >&2
  (cd "$root" && npm ci --ignore-scripts) >&2 || die 'npm ci failed: its own message is above'
  echo "$lock" >"$stamp"
}

# One set-up at a time in a checkout: a second one waits for the first and finds everything done.
setup() {
  need_node
  mkdir -p "$root/.cache"
  exec 9>"$root/.cache/setup.lock"
  if command -v flock >/dev/null; then flock 9; fi
  install_packages
  node "$root/scripts/lib/build.mjs" >&2 || die 'the build failed: the compiler said why above'
  exec 9>&-
}
