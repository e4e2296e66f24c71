import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { DevnetResult } from '../../src/devnet/result.ts'
import { launch, processesWith, project, temporary } from './support.ts'

const events = join(project, 'test/fixtures/commits.jsonl.gz')

test('as a user runs it: a file of events is finalized, a late node follows, all agree, nothing is left', async () => {
  const dir = join(await temporary(), 'devnet')
  // 1500 events at 40/s: blocks come every second to the end.
  const args = ['--until-height', '30', '--rate', '40', '--events', events, '--dir', dir, '--json']
  const { code, stdout, stderr } = await launch(args, join(project, 'scripts/devnet')).ended
  expect(stderr.split('\n').at(-2) ?? '').not.toMatch(/^moloch: /)
  expect(code).toBe(0)

  const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as DevnetResult
  expect(result.chain_id).toBe('devnet')
  expect(result.finalized_height).toBeGreaterThanOrEqual(30)
  expect(result.events_finalized).toBeGreaterThan(1000)
  expect(result.finality_ms.p50).toBeGreaterThan(0)
  expect(result.finality_ms.p99).toBeGreaterThanOrEqual(result.finality_ms.p50 ?? Number.NaN)
  expect(result.late_node).toMatchObject({ from_height: 0, peers_used: expect.any(Number) })
  expect(result.late_node?.blocks).toBeGreaterThanOrEqual(20)
  expect(result.late_node?.peers_used).toBeGreaterThanOrEqual(3)
  expect(result.nodes.map(({ name, role }) => `${name} ${role}`)).toEqual([
    'validator-1 validator',
    'validator-2 validator',
    'validator-3 validator',
    'validator-4 validator',
    'node-1 full',
    'late late'
  ])
  expect(new Set(result.nodes.map((node) => node.finalized_hash)).size).toBe(1)
  for (const node of result.nodes) {
    expect(node.finalized_hash).toMatch(/^[0-9a-f]{64}$/)
    expect(node.api).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(node.peer_id).toMatch(/^12D3/)
  }
  expect(await processesWith(dir)).toEqual([])
})

test('Ctrl-C stops all of it: no process is left', async () => {
  const dir = join(await temporary(), 'devnet')
  const { child, ended } = launch(['devnet', '--validators', '2', '--nodes', '0', '--dir', dir])
  await until(async () => (await processesWith(`${dir}/validator-`)).length === 2)
  child.kill('SIGINT')
  await ended
  expect(await processesWith(dir)).toEqual([])
})

test('when the devnet itself is killed, its nodes end too', async () => {
  const dir = join(await temporary(), 'devnet')
  const { child, ended } = launch(['devnet', '--validators', '2', '--nodes', '0', '--dir', dir])
  await until(async () => (await processesWith(`${dir}/validator-`)).length === 2)
  child.kill('SIGKILL')
  await ended
  await until(async () => (await processesWith(dir)).length === 0)
})

test.each([
  [['--events', 'nowhere.jsonl'], 1, 'nowhere.jsonl is not a file'],
  [['--dir', project], 1, 'is not empty and has no devnet.json'],
  [['--validators', '0'], 64, 'A whole number from 1 to 64 is accepted'],
  [['--for', 'soon'], 64, 'A time such as 60s'],
  [['--git', '.', '--events', events], 64, 'exclude each other'],
  [['--vallidators', '4'], 64, '--validators']
])('%j is refused in one line', async (args, code, message) => {
  const ended = await launch(['devnet', ...args]).ended
  expect(ended.stderr).toContain(message)
  expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(ended.code).toBe(code)
  expect(ended.stdout).toBe('')
})

/** Polls a condition that the test's time limit bounds. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((done) => setTimeout(done, 50))
}
