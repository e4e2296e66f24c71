// Builds dist/ when a source is newer than the last good build: build.mjs [--lenient] [FOLDER_OF_SRC…] (default: all).
// --lenient does not try again what had type errors: the compiler writes dist/ all the same.
// build.mjs --check writes nothing, and says what there would be to do.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const stamp = join(root, 'dist/.built')
const generated = join(root, 'src/codec/generated')

/** When the newest file under these paths (missing ones count for nothing) was last changed, in ms. */
function newest(...paths) {
  let time = 0
  for (const path of paths.map((path) => join(root, path)).filter(existsSync)) {
    const files = statSync(path).isDirectory()
      ? readdirSync(path, { recursive: true }).map((f) => join(path, f))
      : [path]
    for (const file of files) time = Math.max(time, statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
  }
  return time
}

function run(script, ...args) {
  return spawnSync(process.execPath, [join(root, script), ...args], { cwd: root, stdio: 'inherit' }).status ?? 1
}

const check = process.argv[2] === '--check'
const lenient = process.argv[2] === '--lenient'
const folders = process.argv.slice(lenient || check ? 3 : 2)
const watched = folders.length > 0 ? folders.map((folder) => `src/${folder}`) : ['src']
const last = existsSync(stamp) ? statSync(stamp).mtimeMs : 0
const good = existsSync(stamp) && readFileSync(stamp, 'utf8') === 'good'

const mustGenerate =
  !existsSync(generated) || newest('protos', 'scripts/generate-protos.mjs') > newest('src/codec/generated')
const mustCompile = () => newest(...watched, 'tsconfig.json', 'tsconfig.build.json') > last || !(good || lenient)

if (check) {
  if (mustGenerate || mustCompile())
    console.log(last === 0 ? 'it is not built' : 'its sources are newer than its build')
} else {
  if (mustGenerate && run('scripts/generate-protos.mjs') !== 0) process.exit(1)
  if (mustCompile()) compile()
}

function compile() {
  // What changes while the compiler runs is newer than this build.
  const started = new Date()
  const options = ['-p', 'tsconfig.build.json', '--incremental', '--tsBuildInfoFile', 'dist/.tsbuildinfo']
  const status = run('node_modules/typescript/bin/tsc', ...options)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, status === 0 ? 'good' : 'errors')
  utimesSync(stamp, started, started)
  process.exitCode = status
}
