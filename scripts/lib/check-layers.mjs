// Checks that every folder of src/ imports only from the floors below it: check-layers.mjs [ROOT].
// dependency-cruiser with a compiler it does not know says "no violations (0 modules)", so what it cruised is counted
// against the files there are.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const home = join(dirname(fileURLToPath(import.meta.url)), '../..')
const root = process.argv[2] ?? home

const sources = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true }).filter(
  (entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.name.endsWith('.d.ts')
).length

const output = execFileSync(
  process.execPath,
  [
    join(home, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs'),
    'src',
    '--config',
    join(home, '.dependency-cruiser.cjs'),
    '--output-type',
    'json'
  ],
  { cwd: root, maxBuffer: 1 << 30, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }
)
const { modules, summary } = JSON.parse(output)
const cruised = new Set(modules.map((module) => module.source).filter((source) => source.startsWith('src/'))).size

for (const { rule, from, to } of summary.violations) console.error(`${rule.severity} ${rule.name}: ${from} → ${to}`)
if (cruised < sources) {
  console.error(`dependency-cruiser read ${cruised} modules of src/, which has ${sources}: nothing was proved`)
}
console.log(`layers: ${cruised} of ${sources} modules, ${summary.violations.length} violations`)
process.exitCode = summary.violations.some((v) => v.rule.severity === 'error') || cruised < sources ? 1 : 0
