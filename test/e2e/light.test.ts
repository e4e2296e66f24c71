import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fromHex } from '../../src/codec/bytes.ts'
import type { Devnet, DevnetNode } from '../../src/devnet/devnet.ts'
import { eventsFile } from '../../src/devnet/event-lines.ts'
import { Feeder } from '../../src/devnet/feeder.ts'
import { homePaths, readHomeGenesis } from '../../src/node/home.ts'
import { Database } from '../../src/store/database.ts'
import { TABLE } from '../../src/store/keys.ts'
import { eventually, launch, network, project, reaches, temporary } from './support.ts'

const INPUT = join(project, 'test/fixtures/commits.jsonl.gz')
const LIGHTS = ['light-1', 'light-2']

interface EventJson {
  readonly event_id: string
  readonly actor: string
  readonly height: number
  readonly resource: { readonly id: string }
}

/** Feeds the whole file; resolves when all of it is final. */
async function feedFile(devnet: Devnet): Promise<string[]> {
  const commits: string[] = []
  for await (const { fields } of eventsFile(INPUT)) commits.push(fields.resource?.id ?? '')
  const validators = devnet.nodes.filter((node) => node.role === 'validator')
  const { genesis_hash } = await devnet.status('validator-1')
  const feeder = new Feeder({
    events: eventsFile(INPUT),
    rate: 300,
    genesisHash: fromHex(genesis_hash, 32) as Uint8Array,
    seed: 1,
    targets: validators.map((node) => node.api)
  })
  feeder.start()
  await eventually('all events to be final', async () => feeder.stats().finalized === commits.length, 120_000)
  await feeder.stop()
  return commits
}

/** All events of an actor in the blocks before a height, in the order of the chain, as a full node has them. */
async function idsOf({ api }: DevnetNode, actor: string, before: number): Promise<string[]> {
  const ids: string[] = []
  let cursor = ''
  for (;;) {
    const page = (await api.get(`/v1/events?limit=1000&actor=${actor}&to=${before - 1}${cursor}`)) as {
      events: EventJson[]
      next_cursor: string | null
    }
    ids.push(...page.events.map(({ event_id }) => event_id))
    if (page.next_cursor === null) return ids
    cursor = `&cursor=${page.next_cursor}`
  }
}

/** The final event of a commit, as a full node has it. */
async function eventOf({ api }: DevnetNode, commit: string): Promise<EventJson> {
  let cursor = ''
  for (;;) {
    const page = (await api.get(`/v1/events?limit=1000${cursor}`)) as {
      events: EventJson[]
      next_cursor: string | null
    }
    const found = page.events.find(({ resource }) => resource.id === commit)
    if (found !== undefined) return found
    if (page.next_cursor === null) throw new Error(`${commit} is in no block`)
    cursor = `&cursor=${page.next_cursor}`
  }
}

test('light nodes follow the tip, hold no events, and prove any of them through full peers', async () => {
  const devnet = await network({ validators: 4, nodes: 1, light: 2, late: false })
  await devnet.start()
  const commits = await feedFile(devnet)
  const full = devnet.node('node-1')
  const { finalized } = await full.api.status()
  await reaches(devnet, LIGHTS, finalized.height + 2, 30_000)

  for (const name of LIGHTS) {
    const { api } = devnet.node(name)
    const status = (await api.get('/v1/status')) as Record<string, unknown>
    expect(status).toMatchObject({
      mode: 'light',
      state: 'SYNCED',
      event_total: null,
      sync: { strategy: 'gossip' },
      light: { checkpoint: { height: 0 } }
    })
    await expect(api.get('/v1/blocks/latest')).rejects.toThrow('this is a light node, which keeps no blocks')
    const checked = async () =>
      ((await api.get('/v1/status')) as { light: { cross_check: { peers: string[] } | null } }).light.cross_check
    await eventually(`${name} to compare its tip`, async () => (await checked())?.peers.length === 2, 30_000)
  }

  const dir = await temporary()
  for (const index of [0, commits.length >> 1, commits.length - 1]) {
    const event = await eventOf(full, commits[index] as string)
    for (const name of LIGHTS) {
      const { api } = devnet.node(name)
      expect(await api.get(`/v1/events/${event.event_id}`)).toMatchObject(event)
      const out = join(dir, `${name}-${index}.json`)
      const made = await launch(['proof', 'event', event.event_id, '--url', api.url, '--out', out]).ended
      expect(made).toMatchObject({ code: 0 })
      const { anchor } = JSON.parse(await readFile(out, 'utf8'))
      // The hash is trusted because another node says the same.
      const hash = await devnet.node('validator-1').api.blockHash(anchor.height)
      const verify = ['proof', 'verify', out, '--trust', `${anchor.height}:${hash}`, '--event', event.event_id]
      const verified = await launch([...verify, '--home', devnet.node(name).home]).ended
      expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('mmr_path') })
    }
  }
  await expect(devnet.node('light-1').api.get(`/v1/events/${'ab'.repeat(32)}`)).rejects.toThrow('404')

  // All that one actor did, and that another did nothing.
  const { actor } = await eventOf(full, commits[0] as string)
  const light = devnet.node('light-1')
  const canProve = (path: string) =>
    light.api.get(path).then(
      () => true,
      () => false
    )
  await eventually('a snapshot', () => canProve(`/v1/proofs/history?actor=${actor}`), 60_000)
  for (const key of [actor, 'ab'.repeat(32)]) {
    const out = join(dir, `history-${key}.json`)
    const made = await launch(['proof', 'history', '--actor', key, '--url', light.api.url, '--out', out]).ended
    expect(made).toMatchObject({ code: 0 })
    const { anchor } = JSON.parse(await readFile(out, 'utf8'))
    const hash = await devnet.node('validator-1').api.blockHash(anchor.height)
    const verify = ['proof', 'verify', out, '--trust', `${anchor.height}:${hash}`, '--actor', key, '--json']
    const verified = await launch([...verify, '--home', light.home]).ended
    expect(verified.code).toBe(0)
    expect(JSON.parse(verified.stdout).event_ids).toEqual(key === actor ? await idsOf(full, actor, anchor.height) : [])
  }

  await devnet.stop()
  for (const name of LIGHTS) {
    const { home } = devnet.node(name)
    const identity = { genesisHash: readHomeGenesis(home).hash, create: false, contents: 'headers' } as const
    const database = await Database.open(homePaths(home).chain, identity)
    const tables = new Set<number>()
    let [headers, bytes] = [0, 0]
    for await (const [key, value] of database.rows({})) {
      tables.add(key[0] as number)
      if (key[0] !== TABLE.HEADER) continue
      headers++
      bytes += value.byteLength
    }
    await database.close()
    expect([...tables].sort()).toEqual([TABLE.META, TABLE.HEADER])
    expect(headers).toBeGreaterThanOrEqual(finalized.height)
    expect(bytes / headers).toBeLessThan(1024)
  }
})
