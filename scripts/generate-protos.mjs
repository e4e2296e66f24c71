// Generates src/codec/generated from protos/ (git-ignored; made at build).
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const out = join(root, 'src/codec/generated')
const protos = readdirSync(join(root, 'protos')).filter((f) => f.endsWith('.proto'))

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
// Other languages need the package; protons looks for every type at the top and finds none in a package.
const plain = mkdtempSync(join(tmpdir(), 'moloch-protos-'))
try {
  for (const file of protos) {
    const text = readFileSync(join(root, 'protos', file), 'utf8')
    writeFileSync(join(plain, file), text.replace(/^package [\w.]+;$/m, ''))
  }
  execFileSync(
    process.execPath,
    [
      join(root, 'node_modules/protons/dist/bin/protons.js'),
      '--strict',
      '--path',
      plain,
      '--output',
      out,
      ...protos.map((file) => join(plain, file))
    ],
    { stdio: 'inherit' }
  )
} finally {
  rmSync(plain, { recursive: true, force: true })
}

// The project's own imports end in .ts and the compiler rewrites them; what protons emits ends in .js.
for (const file of readdirSync(out)) {
  const path = join(out, file)
  writeFileSync(path, readFileSync(path, 'utf8').replace(/from '(\.[^']*)\.js'/g, "from '$1.ts'"))
}
