import { rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { Devnet, DevnetNode } from '../../src/devnet/devnet.ts'
import { homePaths } from '../../src/node/home.ts'
import { eventually, feed, heightOf, logLines, moloch, network, reaches } from './support.ts'

interface Status {
  readonly mode: string
  readonly state: string
  readonly chain_key: string
  readonly earliest_height: number
  readonly sync: { readonly backfill: { readonly status: string } | null }
}

/** Heights from … to whose commits have a signature of this key. */
async function signedBy({ api }: DevnetNode, key: string, from: number, to: number): Promise<number[]> {
  const signed: number[] = []
  for (let height = from; height <= to; height++) {
    const { commit } = (await api.get(`/v1/blocks/${height}`)) as { commit: { signatures: { validator: string }[] } }
    if (commit.signatures.some(({ validator }) => validator === key)) signed.push(height)
  }
  return signed
}

/** A node that warps to a checkpoint that is not there ends, with this line. */
async function refused(devnet: Devnet, name: string, checkpoint: string, says: string): Promise<void> {
  devnet.spawn([name], ['--mode', 'warp', '--checkpoint', checkpoint])
  const { code } = await devnet.exit(name)
  expect(code).toBe(1)
  expect(devnet.log(name)).toContain(says)
}

test('a wrong checkpoint ends in one line; a validator that lost its chain warps, follows, fills in all history, and votes only then; one that fell behind keeps its blocks', async () => {
  const devnet = await network({ validators: 4, nodes: 1, late: true, params: { snapshotInterval: 5 } })
  await devnet.start()
  await feed(devnet, 100)
  const wrong = 'ab'.repeat(32)
  await reaches(devnet, ['node-1'], 3, 30_000)
  const certified = await devnet.node('node-1').api.blockHash(2)
  await refused(devnet, 'late', `2:${wrong}`, `expected ${wrong}, but the validators certified ${certified}`)
  const above = 'no peer has a snapshot at or above the checkpoint 1000:'
  const refusing = refused(devnet, 'late', `1000:${wrong}`, above)
  const full = devnet.node('node-1')
  await Promise.all([refusing, reaches(devnet, ['node-1'], 12, 60_000)])
  const snapshot = async () => ((await full.api.get('/v1/checkpoint')) as { snapshot: string | null }).snapshot
  await eventually('a snapshot', async () => (await snapshot()) !== null, 30_000)

  const lost = devnet.node('validator-4')
  await devnet.kill(lost.name)
  await rm(homePaths(lost.home).chain, { recursive: true })
  const checkpoint = (await snapshot()) as string
  const warp = ['--mode', 'warp', '--checkpoint', checkpoint]
  devnet.spawn([lost.name], [...warp, '--backfill', 'false'])
  await devnet.ready(lost.name)
  const status = async () => (await lost.api.get('/v1/status')) as Status
  const { earliest_height: base, chain_key: key } = await status()
  expect(base).toBeGreaterThanOrEqual(Number(checkpoint.split(':')[0]))
  const warped = await heightOf(devnet, lost.name)
  await reaches(devnet, [lost.name], warped + 3, 30_000)
  expect(await status()).toMatchObject({
    mode: 'warp',
    role: 'validator',
    state: 'SYNCED',
    sync: { backfill: null },
    abstains: expect.stringMatching('until it holds')
  })
  await expect(lost.api.get('/v1/blocks/2')).rejects.toThrow('503')
  const found = (await full.api.get('/v1/events?limit=1')) as { events: { event_id: string; height: number }[] }
  const [{ event_id: old } = { event_id: '' }] = found.events
  expect(found.events[0]?.height).toBeLessThan(base)
  expect(await moloch('event', 'get', old, '--url', lost.api.url)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(`this node holds blocks from ${base} up`)
  })
  expect(await moloch('event', 'list', '--newest', '--limit', '10000', '--url', lost.api.url)).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/^BLOCK +EVENT/),
    stderr: expect.stringMatching(`events of blocks 1 to ${base - 1} are history not held here`)
  })
  expect(await signedBy(lost, key, warped + 1, warped + 3)).toEqual([])

  await devnet.kill(lost.name, 'SIGTERM')
  devnet.spawn([lost.name], warp)
  await devnet.ready(lost.name)
  await eventually('all history', async () => (await status()).sync.backfill?.status === 'done', 30_000)
  expect(await status()).toMatchObject({ earliest_height: 1, abstains: null })
  const shown = await moloch('status', '--url', lost.api.url)
  expect(shown).toMatchObject({ code: 0, stdout: expect.stringMatching(/history +complete/) })
  // From below the checkpoint, with its certificate.
  expect(await lost.api.get('/v1/blocks/2')).toEqual(await full.api.get('/v1/blocks/2'))
  const filled = await heightOf(devnet, lost.name)
  const votes = async () => (await signedBy(lost, key, filled + 1, await heightOf(devnet, lost.name))).length > 0
  await eventually('a vote of the validator that warped', votes, 30_000)
  const said = logLines(devnet, lost.name).map(({ msg }) => msg)
  expect(said).toEqual(expect.arrayContaining([expect.stringMatching(/^warped to block \d+/)]))
  expect(said).toEqual(expect.arrayContaining([expect.stringMatching(/^history is complete/)]))

  // A node that fell behind warps over the chain that it has, and fetches only what it lacks.
  devnet.spawn(['late'])
  await devnet.ready('late')
  await reaches(devnet, ['late'], warped, 30_000)
  const kept = await heightOf(devnet, 'late')
  await devnet.kill('late', 'SIGTERM')
  await eventually('a newer snapshot', async () => Number((await snapshot())?.split(':')[0]) > kept + 5, 60_000)
  devnet.spawn(['late'], ['--mode', 'warp', '--checkpoint', (await snapshot()) as string])
  await devnet.ready('late')
  const late = async () => (await devnet.node('late').api.get('/v1/status')) as Status
  await eventually('all history', async () => (await late()).sync.backfill?.status === 'done', 30_000)
  const carried = logLines(devnet, 'late').map(
    ({ msg }) => /^(\d+) blocks of the chain .* are carried over$/.exec(msg)?.[1]
  )
  expect(Math.max(...carried.map((blocks) => Number(blocks ?? 0)))).toBeGreaterThanOrEqual(kept)
  await devnet.kill('late', 'SIGTERM')
  expect(await moloch('db', 'verify', '--home', devnet.node('late').home)).toMatchObject({ code: 0 })

  // Without its quorum the chain stops, at one height for both: what they have is the same then.
  for (const name of ['validator-1', 'validator-2']) await devnet.kill(name, 'SIGTERM')
  const atOneHeight = async () => (await heightOf(devnet, lost.name)) === (await heightOf(devnet, 'node-1'))
  await eventually('both at one height', atOneHeight, 30_000)
  const roots = async ({ api }: DevnetNode) => {
    const { finalized, mmr_root, state_root, event_total } = (await api.get('/v1/status')) as Record<string, unknown>
    return { finalized, mmr_root, state_root, event_total }
  }
  expect(await roots(lost)).toEqual(await roots(full))
  await devnet.kill(lost.name, 'SIGTERM')
  expect(await moloch('db', 'verify', '--home', lost.home)).toMatchObject({ code: 0 })
})
