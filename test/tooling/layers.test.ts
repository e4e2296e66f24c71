import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'

const project = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moloch-layers-'))
  await symlink(join(project, 'node_modules'), join(root, 'node_modules'))
  await writeFile(
    join(root, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { module: 'nodenext', allowImportingTsExtensions: true, noEmit: true } })
  )
})
afterEach(() => rm(root, { recursive: true }))

/** Writes the files and checks their layers with the project's own rules. */
async function check(files: Record<string, string>): Promise<{ code: number; output: string }> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), text)
  }
  const script = join(project, 'scripts/lib/check-layers.mjs')
  return run(process.execPath, [script, root]).then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      output: error.stdout + error.stderr
    })
  )
}

test('an import from a lower floor passes and every module is counted', async () => {
  const { code, output } = await check({
    'src/codec/a.ts': 'export const a = 1\n',
    'src/network/b.ts': "export { a } from '../codec/a.ts'\n"
  })
  expect(output).toBe('layers: 2 of 2 modules, 0 violations\n')
  expect(code).toBe(0)
})

test('a planted import from a higher floor is caught', async () => {
  const { code, output } = await check({
    'src/chain/a.ts': "import { b } from '../network/b.ts'\nexport const a = b\n",
    'src/network/b.ts': 'export const b = 1\n'
  })
  expect(output).toContain('error chain-imports-only-downwards: src/chain/a.ts → src/network/b.ts')
  expect(code).toBe(1)
})

test('a type imported from a higher floor is caught too', async () => {
  const { code, output } = await check({
    'src/ledger/a.ts': "import type { B } from '../sync/b.ts'\nexport const a: B = 1\n",
    'src/sync/b.ts': 'export type B = number\n'
  })
  expect(output).toContain('ledger-imports-only-downwards')
  expect(code).toBe(1)
})

test('a folder that is no floor is refused', async () => {
  const { code, output } = await check({
    'src/utils/a.ts': "export { b } from '../codec/b.ts'\n",
    'src/codec/b.ts': 'export const b = 1\n'
  })
  expect(output).toContain('a-floor-of-the-house')
  expect(code).toBe(1)
})

test('modules that were not read fail the check', async () => {
  const { code, output } = await check({
    'src/codec/a.ts': 'export const a = 1\n',
    'src/codec/b.ts': 'export const b = 1\n',
    // A place that the cruise does not enter, as with an unknown compiler it enters none.
    'src/codec/node_modules/c.ts': 'export const c = 1\n'
  })
  expect(output).toContain('dependency-cruiser read 2 modules of src/, which has 3')
  expect(code).toBe(1)
})
