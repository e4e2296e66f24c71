import '../../src/polyfill.ts'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { CheckedBlock } from '../../src/chain/check-block.ts'
import { signProposal } from '../../src/chain/proposal.ts'
import { encodeVote, signVote, VoteType } from '../../src/chain/vote.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { joinFinalized, joinNewBlock } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { type BuiltBlock, Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { defaultConfig } from '../../src/node/config/load.ts'
import { createHome } from '../../src/node/create-home.ts'
import { startNode } from '../../src/node/node.ts'
import type { RunningNode } from '../../src/node/running.ts'
import { until } from '../network/support/hosts.ts'
import { ChainPorts, node, type TestNode } from '../network/support/nodes.ts'
import { applyAll } from '../support/chain-builder.ts'
import { ChainMaker } from '../support/chain-maker.ts'
import { tempDir } from '../support/temp-dir.ts'

const SPEC = { seed: 31, eventsPerBlock: 2 }
const BASE = 99

/** Two makers with one chain up to block 99: `a` for what becomes pending, `b` for what becomes final. */
function makers() {
  const [a, b] = [new ChainMaker(SPEC), new ChainMaker(SPEC)]
  const base = Array.from({ length: BASE }, () => a.next())
  for (let i = 0; i < BASE; i++) b.next()
  return { a, b, base }
}

/** A whole node, an observer, that has `blocks`. */
async function observer(maker: ChainMaker, blocks: readonly CheckedBlock[]): Promise<RunningNode> {
  const home = join(tempDir(), 'home')
  await createHome({ home, genesis: maker.genesis })
  const path = join(home, 'data', 'chain')
  await mkdir(path, { recursive: true })
  const ledger = await Ledger.open({ path, genesis: maker.genesis, log: silentLog })
  await applyAll(ledger, blocks)
  await ledger.close()
  const config = defaultConfig(home, { 'api.port': 0, 'p2p.listen': ['/ip4/127.0.0.1/tcp/0'] })
  const running = await startNode(config, silentLog, { network: { statusPushMs: 100 } })
  onTestFinished(() => running.stop())
  return running
}

/** A peer with these blocks. */
function peer(maker: ChainMaker, blocks: readonly CheckedBlock[], keySeed: number): Promise<TestNode> {
  const frames = blocks.map((block) => joinFinalized(block.blockBytes, block.commitBytes))
  const ports = new ChainPorts(blocks.length, { maker, genesis: maker.genesis, blocks, frames })
  return node({ genesis: maker.genesis, ports, keySeed })
}

function newBlock(maker: ChainMaker, { header, hash, blockBytes }: BuiltBlock): Uint8Array {
  const { genesis, validators } = maker
  const key = validators[genesis.validators.proposer(header.height, 0)] as KeyPair
  const slot = { height: header.height, round: 0, validRound: undefined, blockHash: hash }
  return joinNewBlock({
    round: 0,
    validRound: undefined,
    block: blockBytes,
    signature: signProposal(genesis.hash, key, slot)
  })
}

function precommit(maker: ChainMaker, validator: number, { header, hash }: BuiltBlock): Uint8Array {
  const slot = { type: VoteType.PRECOMMIT, height: header.height, round: 0, blockHash: hash }
  return encodeVote(signVote(maker.genesis.hash, maker.validators[validator] as KeyPair, slot))
}

// biome-ignore lint/suspicious/noExplicitAny: answers of several shapes
async function get(running: RunningNode, path: string): Promise<any> {
  return (await fetch(`${running.apiUrl}${path}`)).json()
}

async function eventually(what: string, running: RunningNode, path: string, holds: (body: never) => boolean) {
  let ok = false
  let asking = false
  await until(what, () => {
    if (!asking && !ok) {
      asking = true
      void get(running, path).then((body) => {
        ok = holds(body as never)
        asking = false
      })
    }
    return ok
  })
}

async function dialled(to: RunningNode, from: TestNode): Promise<void> {
  await from.network.dial(to.addresses()[0] as string)
  await until('a session', () =>
    ['SYNCED', 'SYNCING', 'PROVIDING'].includes(from.network.sessions.get(to.peerId)?.state ?? '')
  )
}

describe('fork resolution by range sync', () => {
  it('pending 100a with 2 of 4 signatures gives way to 100b, 101 and 102; what 100b lacks waits again', async () => {
    const { a, b, base } = makers()
    const running = await observer(a, base)
    const events = a.events(3)
    const pending = a.propose(events)
    const gossiper = await peer(a, base, 2)
    await dialled(running, gossiper)
    const sent = async () => {
      const reached = await gossiper.network.publish('block', newBlock(a, pending))
      for (const validator of [0, 1]) await gossiper.network.publish('vote', precommit(a, validator, pending))
      return reached
    }
    let reached = 0
    await until('subscriptions', () => {
      void sent().then((count) => {
        reached = Math.max(reached, count)
      })
      return reached > 0
    })
    const hash = toHex(pending.hash)
    await eventually(
      '100a with two signatures',
      running,
      '/v1/status',
      ({ pending: shown }: { pending: { hash: string; signatures: number } | null }) =>
        shown?.hash === hash && shown.signatures === 2
    )
    expect((await get(running, '/v1/mempool')).events).toBe(0)

    const other = b.propose(events.slice(1, 2))
    const final = b.certify(other, [1, 2, 3])
    b.head.advance(final)
    const more = [b.next([]), b.next([])]
    const provider = await peer(b, [...base, final, ...more], 3)
    await provider.network.dial(running.addresses()[0] as string)
    await until('height 102', () => running.height === 102)
    const status = await get(running, '/v1/status')
    expect(status).toMatchObject({ finalized: { height: 102, hash: toHex(b.head.tip.hash) }, pending: null })
    expect(status.sync.last_run).toMatchObject({ from_height: 99, to_height: 102 })
    expect((await get(running, '/v1/blocks/100')).hash).toBe(toHex(final.hash))
    // Of 100a's three events one is in 100b.
    expect((await get(running, '/v1/mempool')).events).toBe(2)
    expect((await get(running, '/v1/peers')).held).toEqual([])
  })

  it('100b certified while 100a is final: evidence is kept, the node follows no further and says who signed both', async () => {
    const { a, b, base } = makers()
    const ours = a.next()
    const running = await observer(a, [...base, ours])
    const final = b.certify(b.propose(b.events(1)), [1, 2, 3])
    b.head.advance(final)
    const provider = await peer(b, [...base, final, b.next(), b.next()], 3)
    await provider.network.dial(running.addresses()[0] as string)
    await eventually(
      'the stall',
      running,
      '/v1/sync',
      ({ stalled }: { stalled: { code: string } | null }) => stalled?.code === 'CONFLICTING_FINALITY'
    )
    const { evidence } = await get(running, '/v1/evidence')
    expect(evidence).toMatchObject([{ kind: 'conflict', height: 100 }])
    expect(evidence[0].validators.map(({ name }: { name: string }) => name)).toEqual(['v1', 'v2'])
    expect(evidence[0].description).toContain('both are signed by v1, v2')
    expect(running.height).toBe(100)
    const ready = await fetch(`${running.apiUrl}/health/ready`)
    expect(ready.status).toBe(503)
    expect(await ready.json()).toMatchObject({ code: 'CONFLICTING_FINALITY' })
    // Validators are at fault, not who shows it.
    expect((await get(running, '/v1/peers')).held).toEqual([])
  })
})
