import { type CheckedEvent, signEvent } from '../../src/chain/event.ts'
import { Outcome } from '../../src/codec/generated/event.ts'
import { joinFinalized } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { Emitter } from '../../src/emitter.ts'
import { type SnapshotSource, snapshotSource } from '../ledger/support/snapshot-source.ts'
import { until } from '../network/support/hosts.ts'
import { ChainPorts, chainKey, node, type TestNode } from '../network/support/nodes.ts'
import { ChainMaker, type MemoryChain } from '../support/chain-maker.ts'

/** Small frames: a kill finds some of an answer stored and some on its way. */
const FRAME_BYTES = 32 << 10
/** Events of a block. */
const SMALL = 2
const LARGE = 14
/** Written often, so that the state is on disk at the snapshot's height. */
const STATE_WORK = 500

/** What nodes were sent since it was begun. */
export interface Sent {
  readonly chunks: Set<number>
  /** Heights. */
  readonly blocks: Set<number>
}

type ServerEvents = {
  manifest: []
  chunk: [chunk: number]
  block: [height: number]
}

/** Nodes of this process with one chain and its snapshot, who tell of all that they send. */
export class WarpServers extends Emitter<ServerEvents> {
  readonly source: SnapshotSource
  #nodes: readonly TestNode[] = []
  #sent: Sent = { chunks: new Set(), blocks: new Set() }

  private constructor(source: SnapshotSource) {
    super()
    this.source = source
  }

  /** @param height of the snapshot; the chain is higher. They stop when the test is over. */
  static async start(chain: MemoryChain, height: number, count: number): Promise<WarpServers> {
    const servers = new WarpServers(await snapshotSource(height, chain, STATE_WORK))
    servers.#nodes = await Promise.all(Array.from({ length: count }, (_, i) => servers.#node(i + 1)))
    return servers
  }

  get addresses(): string[] {
    return this.#nodes.map(({ address }) => address)
  }

  /** Counts anew. Nobody may be connected: what is still on its way would count for who comes next. */
  async begin(): Promise<Sent> {
    await until('all to be gone', () => this.#nodes.every(({ network }) => network.sessions.list().length === 0))
    this.#sent = { chunks: new Set(), blocks: new Set() }
    return this.#sent
  }

  #node(keySeed: number): Promise<TestNode> {
    const { chain, ledger, snapshots } = this.source
    const sendsBlock = (sent: Sent, height: number): void => {
      sent.blocks.add(height)
      this.emit('block', height)
    }
    const begun = (): Sent => this.#sent
    class Ports extends ChainPorts {
      override async *readBlocks(start: number, count: number, maxBytes: number): AsyncGenerator<Uint8Array> {
        const sent = begun()
        let height = start
        for await (const frame of super.readBlocks(start, count, maxBytes)) {
          sendsBlock(sent, height++)
          yield frame
        }
      }
    }
    const ports = Object.assign(new Ports(chain.blocks.length, chain), {
      snapshots: {
        held: (at: number) => snapshots.held(at),
        readManifest: (at: number, checkpoint: number) => {
          this.emit('manifest')
          return snapshots.readManifest(at, checkpoint)
        },
        readChunk: (at: number, chunk: number) => {
          this.#sent.chunks.add(chunk)
          this.emit('chunk', chunk)
          return snapshots.readChunk(at, chunk)
        }
      },
      proving: {
        readHeaders: (start: number, count: number) => ledger.readHeaders(start, count),
        readPeaks: (leafCount: number) => ledger.readPeaks(leafCount),
        prove: (request: Parameters<typeof ledger.prove>[0]) => ledger.prove(request)
      }
    })
    const settings = { blocksFrameBytes: FRAME_BYTES }
    return node({ genesis: chain.genesis, ports, chainKey: chainKey(keySeed), keySeed, settings })
  }
}

/**
 * A chain whose resources have long names and one event each, so that its state is many chunks. One block in ten is large:
 * a ledger keeps a header beside it.
 */
export function wideChain(blocks: number, snapshotInterval: number): MemoryChain {
  const maker = new ChainMaker({ params: { snapshotInterval } })
  let events = 0
  const eventsOf = (block: number): CheckedEvent[] =>
    Array.from({ length: block % 10 === 0 ? LARGE : SMALL }, () => longNamed(maker, events++))
  const checked = Array.from({ length: blocks }, (_, block) => maker.next(eventsOf(block)))
  const frames = checked.map((block) => joinFinalized(block.blockBytes, block.commitBytes))
  return { maker, genesis: maker.genesis, blocks: checked, frames }
}

function longNamed(maker: ChainMaker, number: number): CheckedEvent {
  const actor = maker.actors[number % maker.actors.length] as KeyPair
  return signEvent(maker.genesis.hash, actor, {
    timestamp: maker.nextTimestamp,
    action: 'read',
    resource: { kind: 'document', id: `archive/${number}/`.padEnd(500, 'x') },
    outcome: Outcome.SUCCESS,
    metadata: []
  })
}
