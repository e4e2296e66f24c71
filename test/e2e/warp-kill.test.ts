import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkpointText } from '../../src/chain/checkpoint.ts'
import type { Genesis } from '../../src/chain/genesis.ts'
import { createHome } from '../../src/node/create-home.ts'
import { Random } from '../support/random.ts'
import { KillMoments } from './kill-moments.ts'
import { moloch, processesWith, temporary } from './support.ts'
import { type Stored, settledHash, storedIn } from './warp-home.ts'
import { type Sent, WarpServers, wideChain } from './warp-servers.ts'
import { WatchedNode } from './watched-node.ts'

const seed = Number(process.env.MOLOCH_SEED ?? 1)
const WARPS = Math.max(1, Math.round(Number(process.env.MOLOCH_RUNS ?? 1)))

const TIP = 3000
const BASE = 2800
const SERVERS = 3
/** What a node has out at once: chunks of each server, and history of all of them, in pieces of 256. */
const CHUNKS_IN_FLIGHT = 4 * SERVERS
const HISTORY_IN_FLIGHT = 4 * 256

/** Waits until a node has all of the chain and stops it: what it says of it, and what is in its database. */
async function whole(node: WatchedNode, home: string, genesis: Genesis) {
  const { finalized, mmr_root, state_root, event_total } = await node.complete(TIP)
  expect(await node.end('SIGTERM')).toEqual({ code: 0, signal: null })
  expect(await moloch('db', 'verify', '--home', home)).toMatchObject({ code: 0 })
  return { finalized, mmr_root, state_root, event_total, content: await settledHash(home, genesis) }
}

/** In one life a node is sent nothing that it had, and has what it was sent but for what was on its way at the end. */
function expectNothingTwice(before: Stored, sent: Sent, after: Stored): void {
  const chunks = [...sent.chunks]
  const blocks = [...sent.blocks]
  expect(chunks.filter((chunk) => before.hasChunk(chunk))).toEqual([])
  expect(blocks.filter((height) => before.blocks.has(height))).toEqual([])
  expect(chunks.filter((chunk) => !after.hasChunk(chunk)).length).toBeLessThanOrEqual(CHUNKS_IN_FLIGHT)
  const lost = blocks.filter((height) => height < BASE && !after.blocks.has(height))
  expect(lost.length).toBeLessThanOrEqual(HISTORY_IN_FLIGHT)
}

test(
  'a warp killed at random moments goes on where it was, and ends as a node that synced from genesis',
  async () => {
    const dir = await temporary()
    const servers = await WarpServers.start(wideChain(TIP, 100), BASE, SERVERS)
    const { chain, manifest } = servers.source
    const { genesis } = chain
    const chunks = manifest.chunks.length
    expect(chunks).toBeGreaterThan(20)

    const newHome = async (name: string): Promise<string> => {
      const home = join(dir, name)
      const network = { 'p2p.listen': ['/ip4/127.0.0.1/tcp/0'], 'p2p.bootstrap': servers.addresses }
      await createHome({ home, genesis, settings: { ...network, 'log.format': 'json' } })
      return home
    }
    const full = await newHome('full')
    const expected = await whole(await WatchedNode.start(full, [], servers), full, genesis)

    const checkpoint = checkpointText({ height: BASE, hash: manifest.header.hash })
    const args = ['--mode', 'warp', '--checkpoint', checkpoint, '--backfill', 'true']
    const moments = new KillMoments(new Random(seed), { chunks, base: BASE, tip: TIP })
    const killedIn: Record<string, number> = {}
    const sentInAll = { chunks: 0, blocks: 0 }
    for (let warp = 0; warp < WARPS; warp++) {
      const home = await newHome(`warp-${warp}`)
      let stored = await storedIn(home, genesis, TIP)
      const live = async <Result>(life: (node: WatchedNode) => Promise<Result>): Promise<Result> => {
        const sent = await servers.begin()
        const result = await life(await WatchedNode.start(home, args, servers))
        const before = stored
        stored = await storedIn(home, genesis, TIP)
        expectNothingTwice(before, sent, stored)
        sentInAll.chunks += sent.chunks.size
        sentInAll.blocks += sent.blocks.size
        return result
      }
      for (const momentAfter of moments.next()) {
        const moment = momentAfter(stored)
        await live((node) => node.killAt(moment, TIP))
        killedIn[stored.phase] = (killedIn[stored.phase] ?? 0) + 1
      }
      expect(await live((node) => whole(node, home, genesis))).toEqual(expected)
    }
    expect(await processesWith(dir)).toEqual([])
    // The snapshot's block comes in a chunk.
    const twice = { chunks: sentInAll.chunks - WARPS * chunks, blocks: sentInAll.blocks - WARPS * (TIP - 1) }
    console.info('killed in', killedIn, 'sent', sentInAll, 'of these again', twice)
  },
  120_000 + WARPS * 60_000
)
