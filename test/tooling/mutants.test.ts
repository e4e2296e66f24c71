import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const project = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

async function check(...args: string[]): Promise<{ code: number; output: string }> {
  const script = join(project, 'scripts/lib/mutants/main.mjs')
  return run(process.execPath, [script, '--check', ...args]).then(
    ({ stdout, stderr }) => ({ code: 0, output: stderr + stdout }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      output: error.stderr + error.stdout
    })
  )
}

test('each mutant can still be made: its text is in its file once, and its test is there', async () => {
  const { code, output } = await check()
  expect(output).toMatch(/^mutants: \d+, 0 faults in the table\n$/)
  expect(code).toBe(0)
})

test('a text that is gone or there twice, a test that is not there, an id that is there twice: each is named', async () => {
  const root = await mkdtemp(join(tmpdir(), 'moloch-mutants-'))
  onTestFinished(() => rm(root, { recursive: true }))
  const good = { point: 'A1', what: 'it counts wrong', file: 'src/a.ts', text: '+ 1', to: '', test: 'test/a.test.ts' }
  const mutants = [
    { ...good, id: 'good', named: 'counts' },
    { ...good, id: 'gone', text: '+ 2' },
    { ...good, id: 'twice', text: '1' },
    { ...good, id: 'elsewhere', file: 'src/b.ts' },
    { ...good, id: 'same', to: '+ 1' },
    { ...good, id: 'unseen', test: 'test/b.test.ts' },
    { ...good, id: 'unnamed', named: 'sees' },
    { ...good, id: 'good' },
    { id: 'half', tests: [] }
  ]
  const files = {
    'src/a.ts': 'export const a = 1 + 1\n',
    'test/a.test.ts': "test('counts')\n",
    'test/mutants/a.json': JSON.stringify(mutants)
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  const { code, output } = await check('--root', root)
  expect(output.trim().split('\n')).toEqual([
    'gone: "+ 2" is 0 times in src/a.ts, not once',
    'twice: "1" is 2 times in src/a.ts, not once',
    'elsewhere: there is no src/b.ts',
    'same: it changes nothing',
    'unseen: there is no test/b.test.ts',
    "unnamed: test/a.test.ts has no test 'sees'",
    'good: its id is there twice',
    'half: wrong or missing: point, what, file, text, to, test, tests',
    'mutants: 9, 8 faults in the table'
  ])
  expect(code).toBe(1)
  expect(await check('--only', 'no such mutant')).toMatchObject({ code: 64 })
})
