import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkpointText } from '../../src/chain/checkpoint.ts'
import { createHome } from '../../src/node/create-home.ts'
import type { HeightRange } from '../../src/store/height-ranges.ts'
import { Random } from '../support/random.ts'
import { moloch, processesWith, temporary } from './support.ts'
import { settledHash, storedIn } from './warp-home.ts'
import { WarpServers, wideChain } from './warp-servers.ts'
import { type Step, WatchedNode } from './watched-node.ts'

const seed = Number(process.env.MOLOCH_SEED ?? 1)
const WARPS = Math.max(1, Math.round(Number(process.env.MOLOCH_RUNS ?? 1)))
/** Of each warp, before it is left alone. */
const KILLS = 5

const TIP = 3000
const BASE = 2800
const SERVERS = 3
/** What a node has out at once: chunks of each server, and history of all of them, in pieces of 256. */
const CHUNKS_IN_FLIGHT = 4 * SERVERS
const HISTORY_IN_FLIGHT = 4 * 256

/** A kind of moment: when so much of what a step has left to bring has come (at random if undefined), and a delay at most. */
interface Kind {
  readonly step: Step
  readonly part?: number
  readonly delayMs: number
}

/** In the order of a node's life. */
const KINDS: readonly Kind[] = [
  { step: 'start', delayMs: 1000 },
  { step: 'manifest', delayMs: 30 },
  { step: 'chunk', delayMs: 10 },
  { step: 'import', delayMs: 100 },
  { step: 'switch', delayMs: 5 },
  { step: 'above', delayMs: 30 },
  { step: 'below', delayMs: 30 },
  // While it verifies certificates, or folds all from genesis.
  { step: 'below', part: 1, delayMs: 1500 }
]

/** Kinds for the kills of one warp. All are dealt before any comes again. */
function deal(deck: Kind[], random: Random): Kind[] {
  const hand = Array.from({ length: KILLS }, () => {
    if (deck.length === 0) deck.push(...KINDS)
    return deck.splice(random.below(deck.length), 1)[0] as Kind
  })
  return hand.sort((a, b) => KINDS.indexOf(a) - KINDS.indexOf(b))
}

function countOf(ranges: readonly HeightRange[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0)
}

test(
  'a warp killed at random moments goes on where it was, and ends as a node that synced from genesis',
  async () => {
    const dir = await temporary()
    const servers = await WarpServers.start(wideChain(TIP, 3, 100), BASE, SERVERS)
    const { chain, manifest } = servers.source
    const { genesis } = chain
    const chunks = manifest.chunks.map((_, chunk) => chunk)
    expect(chunks.length).toBeGreaterThan(20)
    const checkpoint = checkpointText({ height: BASE, hash: manifest.header.hash })
    const args = ['--mode', 'warp', '--checkpoint', checkpoint, '--backfill', 'true']
    const random = new Random(seed)
    const deck: Kind[] = []
    const phases = new Map<string, number>()
    let [sentChunks, sentBlocks] = [0, 0]

    const newHome = async (name: string): Promise<string> => {
      const home = join(dir, name)
      const settings = {
        'p2p.listen': ['/ip4/127.0.0.1/tcp/0'],
        'p2p.bootstrap': servers.addresses,
        'log.format': 'json'
      }
      await createHome({ home, genesis, settings })
      return home
    }
    /** Waits for all of the chain: what the node says of it, and what is in its database. */
    const whole = async (home: string, node: WatchedNode) => {
      const { finalized, mmr_root, state_root, event_total } = await node.complete(TIP)
      expect(await node.end('SIGTERM')).toEqual({ code: 0, signal: null })
      expect(await moloch('db', 'verify', '--home', home)).toMatchObject({ code: 0 })
      return { finalized, mmr_root, state_root, event_total, content: await settledHash(home, genesis) }
    }
    const full = await newHome('full')
    const expected = await whole(full, await WatchedNode.start(full, [], servers))
    expect(expected.finalized.height).toBe(TIP)

    for (let warp = 0; warp < WARPS; warp++) {
      const home = await newHome(`warp-${warp}`)
      const stored = () => storedIn(home, genesis, TIP)
      /** One life of the node; nothing that is stored comes again. */
      const live = async <Result>(life: (node: WatchedNode) => Promise<Result>): Promise<Result> => {
        const before = await stored()
        const sent = await servers.begin()
        const result = await life(await WatchedNode.start(home, args, servers))
        const after = await stored()
        expect([...sent.chunks].filter(before.hasChunk)).toEqual([])
        expect([...sent.blocks].filter((height) => before.blocks.has(height))).toEqual([])
        const lost = [...sent.blocks].filter((height) => !after.blocks.has(height))
        expect([...sent.chunks].filter((chunk) => !after.hasChunk(chunk)).length).toBeLessThanOrEqual(CHUNKS_IN_FLIGHT)
        expect(lost.filter((height) => height < BASE).length).toBeLessThanOrEqual(HISTORY_IN_FLIGHT)
        sentChunks += sent.chunks.size
        sentBlocks += sent.blocks.size
        return result
      }
      for (const { step, part = random.float(), delayMs } of deal(deck, random)) {
        const { hasChunk, blocks } = await stored()
        const left: Partial<Record<Step, number>> = {
          chunk: chunks.filter((chunk) => !hasChunk(chunk)).length,
          above: countOf(blocks.missing(BASE + 1, TIP)),
          below: countOf(blocks.missing(1, BASE - 1))
        }
        const moment = { step, nth: Math.ceil(part * (left[step] ?? 1)), delayMs: random.below(delayMs) }
        await live((node) => node.killAt(moment, TIP))
        const { phase } = await stored()
        phases.set(phase, (phases.get(phase) ?? 0) + 1)
      }
      expect(await live((node) => whole(home, node))).toEqual(expected)
    }
    expect(await processesWith(dir)).toEqual([])
    const twice = { chunks: sentChunks - WARPS * chunks.length, blocks: sentBlocks - WARPS * (TIP - 1) }
    console.info({ seed, kills: WARPS * KILLS, phases: Object.fromEntries(phases), sentChunks, sentBlocks, twice })
  },
  60_000 + WARPS * 60_000
)
