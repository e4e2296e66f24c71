// Generates src/codec/generated from protos/ (git-ignored; made at build).
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const out = join(root, 'src/codec/generated')
const protos = readdirSync(join(root, 'protos')).filter((f) => f.endsWith('.proto'))

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
execFileSync(
  process.execPath,
  [
    join(root, 'node_modules/protons/dist/bin/protons.js'),
    '--strict',
    '--output',
    out,
    ...protos.map((f) => join(root, 'protos', f))
  ],
  { stdio: 'inherit' }
)

// The project's own imports end in .ts and the compiler rewrites them; what protons emits ends in .js.
for (const file of readdirSync(out)) {
  const path = join(out, file)
  writeFileSync(path, readFileSync(path, 'utf8').replace(/from '(\.[^']*)\.js'/g, "from '$1.ts'"))
}
