import { expect, test } from 'vitest'
import type { DevnetNode } from '../../src/devnet/devnet.ts'
import { feed, heightOf, logLines, moloch, network, reaches } from './support.ts'

interface Status {
  readonly mode: string
  readonly state: string
  readonly earliest_height: number
  readonly sync: { readonly backfill: { readonly status: string } | null }
}

test('a node warps to a checkpoint, follows the tip, and fills in all history behind', async () => {
  const devnet = await network({ validators: 4, nodes: 1, late: true, params: { snapshotInterval: 5 } })
  await devnet.start()
  await feed(devnet, 100)
  const full = devnet.node('node-1')
  await reaches(devnet, ['node-1'], 16, 60_000)
  const snapshot = async () => ((await full.api.get('/v1/checkpoint')) as { snapshot: string | null }).snapshot
  await devnet.waitFor('a snapshot', async () => (await snapshot()) !== null, 30_000)
  const checkpoint = (await snapshot()) as string
  const base = Number(checkpoint.split(':')[0])

  const late = devnet.node('late')
  devnet.spawn(['late'], ['--mode', 'warp', '--checkpoint', checkpoint])
  await devnet.ready('late')
  const status = async () => (await late.api.get('/v1/status')) as Status
  const began = await heightOf(devnet, 'late')
  expect(began).toBeGreaterThanOrEqual(base)
  await reaches(devnet, ['late'], began + 3, 30_000)
  await devnet.waitFor('all history', async () => (await status()).sync.backfill?.status === 'done', 30_000)
  expect(await status()).toMatchObject({ mode: 'warp', state: 'SYNCED', earliest_height: 1 })
  const shown = await moloch('status', '--url', late.api.url)
  expect(shown).toMatchObject({ code: 0, stdout: expect.stringMatching(/history +complete/) })
  // From below the checkpoint, with its certificate.
  expect(await late.api.get('/v1/blocks/2')).toEqual(await full.api.get('/v1/blocks/2'))
  const said = logLines(devnet, 'late').map(({ msg }) => msg)
  expect(said).toEqual(expect.arrayContaining([expect.stringMatching(/^warped to block \d+/)]))
  expect(said).toEqual(expect.arrayContaining([expect.stringMatching(/^history is complete/)]))
  expect(logLines(devnet, 'late').filter(({ level, time }) => level === 'error' && time !== '')).toEqual([])

  // Without its quorum the chain stops, at one height for both: what they have is the same then.
  for (const name of ['validator-1', 'validator-2']) await devnet.kill(name, 'SIGTERM')
  const atOneHeight = async () => (await heightOf(devnet, 'late')) === (await heightOf(devnet, 'node-1'))
  await devnet.waitFor('both at one height', atOneHeight, 30_000)
  const roots = async ({ api }: DevnetNode) => {
    const { finalized, mmr_root, state_root, event_total } = (await api.get('/v1/status')) as Record<string, unknown>
    return { finalized, mmr_root, state_root, event_total }
  }
  expect(await roots(late)).toEqual(await roots(full))
  await devnet.kill('late', 'SIGTERM')
  expect(await moloch('db', 'verify', '--home', late.home)).toMatchObject({ code: 0 })
})

test('a wrong checkpoint ends it in one line that says what was expected, and what there is', async () => {
  const devnet = await network({ validators: 1, nodes: 0, late: true, params: { snapshotInterval: 5 } })
  await devnet.start()
  await reaches(devnet, ['validator-1'], 3, 30_000)
  const { api } = devnet.node('validator-1')
  const wrong = 'ab'.repeat(32)
  for (const [height, says] of [
    [2, `expected ${wrong}, but the validators certified ${await api.blockHash(2)}`],
    [1000, 'no peer has a snapshot at or above the checkpoint 1000:']
  ] as const) {
    const started = performance.now()
    devnet.spawn(['late'], ['--mode', 'warp', '--checkpoint', `${height}:${wrong}`])
    const { code } = await devnet.exit('late')
    expect(code).toBe(1)
    expect(devnet.log('late')).toContain(says)
    expect(performance.now() - started).toBeLessThan(15_000)
  }
})
