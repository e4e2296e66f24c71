/**
 * Peers without any key of the chain's against four real validators under load. All of them at once: what they do to
 * memory, and to what honest nodes think of each other; every event of the load becomes final beside them. The p99 of both
 * is printed; it is not held to a ratio yet.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseGenesis } from '../../src/chain/genesis.ts'
import { fromHex } from '../../src/codec/bytes.ts'
import type { Devnet } from '../../src/devnet/devnet.ts'
import { synthetic } from '../../src/devnet/event-sources.ts'
import { Feeder, type FeedStats } from '../../src/devnet/feeder.ts'
import { eventually, heightOf, logLines, network } from '../e2e/support.ts'
import { until } from '../network/support/hosts.ts'
import type { Victim } from './support/stranger.ts'
import * as attacks from './support/stranger-attacks.ts'

const RATE = 60
/** Of one phase: enough for a p99 that nine events decide. */
const EVENTS = 900
const PATIENCE_MS = 120_000
const VALIDATORS = ['validator-1', 'validator-2', 'validator-3', 'validator-4']

/** Feeds so many events to all validators and waits until each of them is final. */
async function feedAll(
  devnet: Devnet,
  seed: number,
  meanwhile: () => Promise<void> = async () => {}
): Promise<FeedStats> {
  const { genesis_hash } = await devnet.status('validator-1')
  async function* some() {
    let left = EVENTS
    for (const event of synthetic(seed)) {
      if (left-- === 0) return
      yield event
    }
  }
  const feeder = new Feeder({
    events: some(),
    rate: RATE,
    genesisHash: fromHex(genesis_hash, 32) as Uint8Array,
    seed,
    targets: VALIDATORS.map((name) => devnet.node(name).api)
  })
  feeder.start()
  try {
    await until(
      'every event of the feed to be final',
      async () => {
        await meanwhile()
        return feeder.stats().finalized + feeder.stats().refused === EVENTS
      },
      PATIENCE_MS
    )
    return feeder.stats()
  } finally {
    await feeder.stop()
  }
}

interface Opinion {
  readonly of: string
  readonly on: string
  readonly score: number
  readonly points: number
}

/** What each validator makes of each other one. */
async function opinions(devnet: Devnet): Promise<Opinion[]> {
  const names = new Map(VALIDATORS.map((name) => [devnet.node(name).peerId, name]))
  const all = await Promise.all(
    VALIDATORS.map(async (of) => {
      const { peers } = (await devnet.node(of).api.get('/v1/peers')) as {
        peers: { peer_id: string; score: number; penalty_points: number }[]
      }
      return peers.flatMap(({ peer_id, score, penalty_points: points }) => {
        const on = names.get(peer_id)
        return on === undefined ? [] : [{ of, on, score, points }]
      })
    })
  )
  return all.flat()
}

/** The most memory that a process has had, in MiB. */
async function peakMemory(devnet: Devnet, name: string): Promise<number> {
  const status = await readFile(`/proc/${devnet.node(name).pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

function honestVerdicts(devnet: Devnet): string[] {
  const honest = new Set(devnet.nodes.map(({ peerId }) => peerId))
  return VALIDATORS.flatMap((name) =>
    logLines(devnet, name)
      .filter((line) => line.verdict !== undefined && honest.has(String(line.peer)))
      .map((line) => `${name}: ${JSON.stringify(line)}`)
  )
}

async function attacked(devnet: Devnet): Promise<{ scene: Omit<attacks.Scene, 'strike' | 'over'> }> {
  const genesis = parseGenesis(await readFile(join(devnet.node('validator-1').home, 'genesis.json'), 'utf8'))
  const victims: Victim[] = VALIDATORS.map((name) => devnet.node(name))
  return { scene: { genesis, victims } }
}

/** Starts attacks; `stop` calls them off and waits for them. */
function assault(scene: Omit<attacks.Scene, 'strike' | 'over'>, list: Readonly<Record<string, attacks.Attack>>) {
  const over = new AbortController()
  const deeds: Record<string, number> = {}
  const failures: unknown[] = []
  const all = Object.entries(list).map(([name, attack]) => {
    deeds[name] = 0
    const strike = (): void => {
      deeds[name] = (deeds[name] ?? 0) + 1
    }
    return attack({ ...scene, over: over.signal, strike }).catch((error: unknown) => failures.push(error))
  })
  const stop = async (): Promise<Record<string, number>> => {
    over.abort()
    await Promise.all(all)
    expect(failures).toEqual([])
    return deeds
  }
  return { deeds, stop }
}

/** As a node on the open Internet has it, in small. */
async function fewPlaces(devnet: Devnet): Promise<void> {
  for (const { home } of devnet.nodes) {
    const file = join(home, 'config.toml')
    const text = await readFile(file, 'utf8')
    const limited = text.replace(/^(max_peers = )1000$/m, '$124').replace(/^(max_peers_per_ip = )1000$/m, '$116')
    expect(limited).not.toBe(text)
    await writeFile(file, limited)
  }
}

describe('four validators and any number of strangers', () => {
  it('finalize as before, think well of each other, and let an honest node in', async () => {
    const devnet = await network({ nodes: 0, late: true })
    await fewPlaces(devnet)
    await devnet.start()
    const alone = await feedAll(devnet, 1)

    const { scene } = await attacked(devnet)
    const prunes = attacks.thirdParties()
    const { attack: thirdParties } = prunes
    const { twistedVotes, windowEdge, emptyBeforeHello, emptyAfterHello, ofNoUse, idleSessions, validFlood } = attacks
    const { deeds, stop } = assault(scene, {
      twistedVotes,
      windowEdge,
      emptyBeforeHello,
      emptyAfterHello,
      thirdParties,
      ofNoUse,
      idleSessions,
      validFlood
    })
    let lowest = Number.POSITIVE_INFINITY
    const beside = await feedAll(devnet, 2, async () => {
      for (const { score } of await opinions(devnet)) lowest = Math.min(lowest, score)
    })
    await until('every attack to have struck', () => Object.values(deeds).every((count) => count > 0), PATIENCE_MS)
    await devnet.start(['late'])
    const height = await heightOf(devnet, 'validator-1')
    await eventually('the late node to catch up', async () => (await heightOf(devnet, 'late')) >= height, PATIENCE_MS)
    console.info('deeds', JSON.stringify(await stop()))

    const peaks = await Promise.all(VALIDATORS.map((name) => peakMemory(devnet, name)))
    console.info(
      'p99 alone',
      alone.p99,
      'beside',
      beside.p99,
      'peak MiB',
      peaks.map(Math.round).join(' '),
      'lowest',
      lowest
    )
    expect(honestVerdicts(devnet)).toEqual([])
    expect((await opinions(devnet)).filter(({ points }) => points > 0)).toEqual([])
    expect(lowest).toBeGreaterThan(0)
    expect(prunes.connects()).toBe(0)
    expect(beside.refused).toBe(0)
    for (const peak of peaks) expect(peak).toBeLessThan(400)
    for (const name of VALIDATORS) {
      expect(await devnet.node(name).api.get('/v1/evidence')).toMatchObject({ evidence: [] })
    }
  })

  it('decide height after height while one of them is paused and every nil vote is said again as another', async () => {
    const devnet = await network({ nodes: 0, late: false })
    await devnet.start()
    const { scene } = await attacked(devnet)
    const { deeds, stop } = assault(scene, { twistedVotes: attacks.twistedVotes })
    const paused = devnet.node('validator-4').pid as number
    process.kill(paused, 'SIGSTOP')
    const from = await heightOf(devnet, 'validator-1')
    // Each of the four has had its turn, so one height at least went through rounds that ended in nil.
    await eventually(
      'six heights without the fourth',
      async () => (await heightOf(devnet, 'validator-1')) >= from + 6,
      PATIENCE_MS
    )
    process.kill(paused, 'SIGCONT')
    await eventually(
      'the fourth to be back',
      async () => (await heightOf(devnet, 'validator-4')) >= from + 8,
      PATIENCE_MS
    )
    expect(deeds.twistedVotes).toBeGreaterThan(0)
    await stop()
    for (const name of VALIDATORS) {
      expect(await devnet.node(name).api.get('/v1/evidence')).toMatchObject({ evidence: [] })
    }
    expect(honestVerdicts(devnet)).toEqual([])
  })
})
