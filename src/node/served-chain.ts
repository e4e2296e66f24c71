import type { Genesis } from '../chain/genesis.ts'
import { ChainHead } from '../ledger/head.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { networkError } from '../network/errors.ts'
import type { SnapshotPorts } from '../network/snapshot-ports.ts'
import type { GetVotes, Head, NetworkPorts, ProvingPorts, RawVotes } from '../network/types.ts'
import type { HeadView } from './head-view.ts'

interface Opened {
  readonly ledger: Ledger
  readonly head: HeadView
}

export interface ServedChainPorts {
  /** Whether range sync runs. */
  readonly syncing: () => boolean
  readonly readVotes: (request: GetVotes) => Promise<RawVotes>
}

/**
 * What peers get of this node's chain: until `open` only that there is block 0, for a node that warps has peers before it
 * has a chain.
 */
export class ServedChain implements NetworkPorts {
  readonly #genesisHead: Head
  readonly #ports: ServedChainPorts
  #opened: Opened | undefined
  readonly proving: ProvingPorts = {
    readHeaders: (start, count) => this.#opened?.ledger.readHeaders(start, count) ?? nothing(),
    readPeaks: async (leafCount) => this.#ledger().readPeaks(leafCount),
    prove: async (request, onRead) => this.#ledger().prove(request, onRead)
  }
  readonly snapshots?: SnapshotPorts

  /** @param builds whether this node is to have snapshots */
  constructor(genesis: Genesis, builds: boolean, ports: ServedChainPorts) {
    this.#ports = ports
    const { tip } = ChainHead.atGenesis(genesis)
    this.#genesisHead = { ...tip, commit: undefined, earliestHeight: 1, syncing: true }
    if (!builds) return
    this.snapshots = {
      held: (height) => this.#opened?.ledger.snapshots?.held(height),
      readManifest: async (height, checkpoint) => this.#opened?.ledger.snapshots?.readManifest(height, checkpoint),
      readChunk: async (height, chunk) => this.#opened?.ledger.snapshots?.readChunk(height, chunk)
    }
  }

  open(ledger: Ledger, head: HeadView): void {
    this.#opened = { ledger, head }
  }

  head(): Head {
    return this.#opened?.head.get(this.#ports.syncing()) ?? this.#genesisHead
  }

  readBlocks(start: number, count: number, maxBytes: number): AsyncIterable<Uint8Array> {
    return this.#opened?.ledger.readRange(start, count, maxBytes) ?? nothing()
  }

  async readVotes(request: GetVotes): Promise<RawVotes> {
    this.#ledger()
    return this.#ports.readVotes(request)
  }

  #ledger(): Ledger {
    if (this.#opened !== undefined) return this.#opened.ledger
    throw networkError('NOT_READY', 'this node has no blocks yet: it looks for a snapshot')
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
