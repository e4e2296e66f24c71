import { expect, it } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { ChainPorts } from '../network/support/nodes.ts'
import { honestChain, TIP } from './support/chain.ts'
import { FORK, otherChain } from './support/forked.ts'
import type { HostilePeer, Role } from './support/hostile.ts'
import { Scene, type SceneOptions } from './support/scene.ts'

/** A server of the other chain. Its deed is to serve a block that is not of the honest one. */
class OtherPorts extends ChainPorts {
  readonly #peer: HostilePeer

  constructor(peer: HostilePeer, height: number, earliestHeight: number) {
    super(height, otherChain())
    this.#peer = peer
    this.lie = { earliestHeight }
  }

  override async *readBlocks(start: number, count: number, maxBytes: number): AsyncGenerator<Uint8Array> {
    yield* super.readBlocks(start, count, maxBytes)
    if (start + count > FORK) this.#peer.strike()
  }
}

/** The other chain from `earliest` to `height`. */
function forked(earliest: number, height: number): Role {
  return { ports: (peer) => new OtherPorts(peer, height, earliest) }
}

interface Row {
  readonly name: string
  readonly role: Role
  readonly options: SceneOptions
  /** Whose block is kept at FORK. */
  readonly kept: () => Uint8Array
}

const ROWS: readonly Row[] = [
  {
    name: 'the other block first, then a block on the honest one',
    role: forked(1, FORK),
    options: { honestHeight: FORK - 1 },
    kept: () => (otherChain().blocks[FORK - 1] as { hash: Uint8Array }).hash
  },
  {
    name: 'the honest block first, then a block on the other one',
    role: forked(FORK + 1, TIP),
    options: { honestHeight: FORK, honestAtOnce: true },
    kept: () => (honestChain().blocks[FORK - 1] as { hash: Uint8Array }).hash
  }
]

// A block that is certified on another parent than our tip is proof that another block was certified at the tip's
// height: the ledger keeps it as evidence, and no peer is blamed for showing it.
it.each(ROWS)(
  'two certified chains: $name — the node stops, keeps the evidence and names who signed both',
  async (row) => {
    const { client, hostile, honest, lost } = await Scene.open(row.role, row.options)
    await client.until('a halt', () => client.state.stalled?.code === 'CONFLICTING_FINALITY')
    expect(hostile.deeds).toBeGreaterThan(0)

    const ready = await client.get('/health/ready')
    expect(ready).toMatchObject({ status: 503, body: { code: 'CONFLICTING_FINALITY' } })
    const { evidence } = (await client.get('/v1/evidence')).body
    expect(evidence).toMatchObject([{ kind: 'conflict', height: FORK }])
    expect(evidence[0].validators.map(({ name }: { name: string }) => name)).toEqual(['v0', 'v1', 'v2'])

    for (const { peerId } of [hostile, ...honest.map(({ network }) => network)])
      expect(client.verdictsOn(peerId)).toEqual([])
    expect(lost).toEqual([])
    expect(await client.stored()).toEqual({ height: FORK, hash: toHex(row.kept()), fault: undefined })
  }
)
