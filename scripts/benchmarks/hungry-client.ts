import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Genesis } from '../../src/chain/genesis.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { MolochError } from '../../src/error.ts'
import { ChainHead } from '../../src/ledger/head.ts'
import { silentLog } from '../../src/log.ts'
import { createNetwork } from '../../src/network/node.ts'
import { DEVNET_SETTINGS } from '../../src/network/settings.ts'
import type { Network, PeerView } from '../../src/network/types.ts'
import { DEFAULT_RETRY_AFTER_MS } from '../../src/sync/policy/backoff.ts'
import { cutBlocks } from '../../src/sync/policy/cut.ts'
import { BlockWeight } from '../../src/sync/policy/weight.ts'
import { REQUESTS_PER_PEER } from '../../src/sync/scheduler.ts'

export interface Eaten {
  readonly blocks: number
  readonly bytes: number
  /** Answers of RATE_LIMITED. */
  readonly limited: number
  /** Requests that failed otherwise. */
  readonly failed: number
}

const RETRY_MS = 250

/**
 * A node of the chain that has nothing and fetches everything, again and again: the requests of an honest client's sync,
 * without the checks and writes that would slow it down.
 */
export class HungryClient {
  readonly #network: Network
  readonly #abort = new AbortController()
  readonly #weight = new BlockWeight()
  #next = 1
  #notBefore = 0
  #eaten = { blocks: 0, bytes: 0, limited: 0, failed: 0 }
  #work: Promise<unknown> | undefined

  private constructor(network: Network) {
    this.#network = network
  }

  static async start(genesis: Genesis, address: string): Promise<HungryClient> {
    const { tip } = ChainHead.atGenesis(genesis)
    const network = createNetwork({
      genesis,
      peerKey: await generateKeyPair('Ed25519'),
      chainKey: keyPairFromSeed(randomBytes(32)),
      mode: 'FULL',
      listen: [],
      bootstrap: [address],
      userAgent: 'moloch-bench',
      settings: DEVNET_SETTINGS,
      ports: {
        head: () => ({ ...tip, commit: undefined, earliestHeight: 1, syncing: true }),
        readBlocks: async function* () {},
        readVotes: async () => Promise.reject(new MolochError('UNAVAILABLE', 'no votes here'))
      },
      log: silentLog
    })
    await network.start()
    const client = new HungryClient(network)
    client.#work = Promise.all(Array.from({ length: REQUESTS_PER_PEER }, () => client.#eat()))
    return client
  }

  get eaten(): Eaten {
    return this.#eaten
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await this.#work
    await this.#network.stop()
  }

  async #eat(): Promise<void> {
    const { signal } = this.#abort
    while (!signal.aborted) {
      const source = this.#network.sessions.list().find((peer) => peer.source && peer.height > 0)
      const wait = source === undefined ? RETRY_MS : this.#notBefore - performance.now()
      if (source === undefined || wait > 0) await sleep(wait, undefined, { signal }).catch(() => undefined)
      else await this.#ask(source)
    }
  }

  async #ask({ peerId, height }: PeerView): Promise<void> {
    const { signal } = this.#abort
    const range = this.#cut(height)
    const eaten = this.#eaten
    let blocks = 0
    let bytes = 0
    try {
      for await (const frame of this.#network.getBlocks(peerId, range, { signal })) {
        blocks += frame.length
        for (const block of frame) bytes += block.byteLength
      }
    } catch (error) {
      if (signal.aborted) return
      const limited = error instanceof MolochError && error.code === 'RATE_LIMITED'
      if (limited) eaten.limited++
      else eaten.failed++
      const after = limited ? (error.details.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS) : RETRY_MS
      this.#notBefore = performance.now() + Number(after)
    } finally {
      if (blocks > 0) this.#weight.add(blocks, bytes)
      eaten.blocks += blocks
      eaten.bytes += bytes
    }
  }

  /** The next range; from the start again when there is none. */
  #cut(height: number): { start: number; count: number } {
    const start = this.#next > height ? 1 : this.#next
    const count = cutBlocks({
      missing: height - start + 1,
      peers: 1,
      bytesPerBlock: this.#weight.bytesPerBlock,
      rate: undefined,
      answerBytes: undefined,
      shareBytes: Number.POSITIVE_INFINITY
    })
    this.#next = start + count
    return { start, count }
  }
}
