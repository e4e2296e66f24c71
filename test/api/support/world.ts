import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { Api, type ApiLimits, type ApiOptions } from '../../../src/api/app.ts'
import type { ApiSource, PeerBook, PendingView, SyncView } from '../../../src/api/source.ts'
import type { CheckedEvent } from '../../../src/chain/event.ts'
import { refusal } from '../../../src/chain/gossip-rules.ts'
import { Mempool } from '../../../src/chain/mempool.ts'
import { VerifiedEvents } from '../../../src/chain/verified-events.ts'
import { toHex } from '../../../src/codec/bytes.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import { silentLog } from '../../../src/log.ts'
import type { PeerView, TopicView } from '../../../src/network/types.ts'
import { EventIngress } from '../../../src/node/ingress.ts'
import { mempoolLimits } from '../../chain/support/mempool-limits.ts'
import { applyAll } from '../../support/chain-builder.ts'
import { ChainMaker, type ChainSpec } from '../../support/chain-maker.ts'
import { forgetHistory } from '../../support/warped.ts'

export interface WorldOptions {
  readonly spec?: Partial<ChainSpec>
  readonly blocks?: number
  /** Those of `blocks` below it are history that is not held, as after a warp. */
  readonly base?: number
  readonly api?: Partial<ApiOptions>
  readonly limits?: Partial<ApiLimits>
  readonly mempool?: { readonly maxEvents: number }
  /** Keeps so many snapshots; default none. */
  readonly keepSnapshots?: number
  /** Starts to listen; default true. */
  readonly listen?: boolean
  /** Whoever opens it closes it; default: the end of the test does. */
  readonly shared?: boolean
}

/** A node without a network: a real chain on disk, mempool and ingress behind the API, and settable views of the rest. */
export class World {
  readonly maker: ChainMaker
  readonly ledger: Ledger
  readonly source: ApiSource
  readonly api: Api
  readonly mempool: Mempool
  url = ''
  peers: PeerView[] = []
  sync: SyncView
  pending: PendingView | undefined
  outlook: ReturnType<ApiSource['outlook']>
  keyInUse: { readonly since: number; readonly message: string } | undefined
  fault: ReturnType<ApiSource['fault']>
  topics: TopicView[] = []
  /** Set by tests that have a network. */
  peerBook: Pick<PeerBook, 'held' | 'knownPeers'> & Partial<PeerBook> = { held: () => [], knownPeers: 0 }
  #path = ''

  private constructor(maker: ChainMaker, ledger: Ledger, options: WorldOptions) {
    this.maker = maker
    this.ledger = ledger
    this.sync = { ...IDLE_SYNC, height: ledger.tip.height, targetHeight: ledger.tip.height }
    this.mempool = new Mempool(mempoolLimits(options.mempool))
    this.source = this.#source()
    const defaults = { host: '127.0.0.1', port: 0, token: '', public: false, max_wait_ms: 10_000, max_waiters: 100 }
    this.api = new Api({ ...defaults, ...options.api }, silentLog, options.limits)
  }

  static async open(options: WorldOptions = {}): Promise<World> {
    const maker = new ChainMaker({ eventsPerBlock: 3, ...options.spec })
    const path = mkdtempSync(join(tmpdir(), 'moloch-api-'))
    const { keepSnapshots: keep = 0, base } = options
    const open = (): Promise<Ledger> =>
      Ledger.open({
        path: join(path, 'chain'),
        genesis: maker.genesis,
        log: silentLog,
        // Written at each snapshot height, and not between them, if blocks have few events.
        tuning: { stateWork: 3 * maker.genesis.params.snapshotInterval },
        ...(keep > 0 ? { snapshots: { folder: join(path, 'snapshots'), keep } } : {})
      })
    let ledger = await open()
    if (base !== undefined) {
      for (let height = 1; height <= base; height++) await applyAll(ledger, [maker.next()])
      await ledger.close()
      await forgetHistory(join(path, 'chain'), maker.genesis, base)
      ledger = await open()
    }
    const world = new World(maker, ledger, options)
    world.#path = path
    if (options.shared !== true) onTestFinished(() => world.close())
    for (let i = base ?? 0; i < (options.blocks ?? 0); i++) await world.finalize()
    if (options.listen !== false) world.url = await world.api.show(world.source)
    return world
  }

  async close(): Promise<void> {
    await this.api.close()
    await this.ledger.close()
    rmSync(this.#path, { recursive: true, force: true })
  }

  async finalize(events?: readonly CheckedEvent[]): Promise<void> {
    await applyAll(this.ledger, [this.maker.next(events)])
    if (this.ledger.tip.height % this.maker.genesis.params.snapshotInterval === 0) await this.ledger.snapshots?.build()
    const { height } = this.ledger.tip
    this.sync = { ...this.sync, height, targetHeight: Math.max(height, this.sync.targetHeight) }
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return answerOf(await fetch(`${this.url}${path}`, { headers }))
  }

  async post(body: unknown, options: { query?: string; headers?: Record<string, string> } = {}): Promise<Answer> {
    const headers = { 'content-type': 'application/json', ...options.headers }
    const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
    const init = { method: 'POST', headers, body: text }
    return answerOf(await fetch(`${this.url}/v1/events${options.query ?? ''}`, init))
  }

  #source(): ApiSource {
    const { ledger, maker, mempool } = this
    // A getter, since tests set it later.
    const book = (): PeerBook => this.peerBook as PeerBook
    const ingress = new EventIngress({
      genesis: maker.genesis,
      mempool,
      verified: new VerifiedEvents(maker.genesis.hash, VerifiedEvents.memoryFor(64)),
      // Nothing is gossiped here.
      checkMessage: async () => refusal('EVENT_MALFORMED'),
      isFinalized: (id) => ledger.hasRecentEvent(id),
      fateOf: (event) => ledger.fateOf(event),
      save: (events) => ledger.saveMempool(events),
      offer: () => {},
      added: () => {},
      halt: () => undefined,
      chainTime: () => ({ now: maker.nextTimestamp, tip: ledger.tip.header.timestamp })
    })
    return {
      version: '1.2.3',
      genesis: maker.genesis,
      peerId: '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN',
      role: 'validator',
      mode: 'full',
      chainKey: toHex(maker.validators[0]?.publicKey ?? new Uint8Array(32)),
      uptimeSeconds: () => 12.7,
      chain: ledger,
      proofs: { prove: (request) => ledger.prove(request), headerAt: (height) => ledger.headerAt(height) },
      checkpoint: () => ledger.tip,
      peers: () => this.peers,
      addresses: () => ['/ip4/127.0.0.1/tcp/9645'],
      topics: () => this.topics,
      peerBook: {
        held: () => book().held(),
        get knownPeers() {
          return book().knownPeers
        },
        dial: (address) => book().dial(address),
        ban: (peerId, ms, reason) => book().ban(peerId, ms, reason),
        unban: (peerId) => book().unban(peerId)
      },
      sync: () => this.sync,
      outlook: () => this.outlook,
      keyInUse: () => this.keyInUse,
      pending: () => this.pending,
      mempool: () => mempool.stats(),
      fault: () => this.fault,
      submit: (bytes, caller) => ingress.submit(bytes, caller),
      isPending: (id) => mempool.has(id),
      onFinalized: (listener) => ledger.on('finalized', ({ block }) => listener(block))
    }
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** Decoded JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into answers of many shapes
  readonly body: any
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: JSON.parse(text) }
}

const IDLE_SYNC: SyncView = {
  strategy: 'gossip',
  height: 0,
  targetHeight: 0,
  blocksPerSecond: 0,
  bytesPerSecond: 0,
  etaSeconds: undefined,
  peers: 0,
  heldBytes: 0,
  boundBytes: 64 * 2 ** 20,
  ranges: [],
  stalled: undefined
}

/** A peer as the network shows one. */
export function peer(view: Partial<PeerView> = {}): PeerView {
  return {
    peerId: '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN',
    address: '/ip4/127.0.0.1/tcp/1',
    direction: 'outbound',
    state: 'SYNCED',
    height: 0,
    claimedHeight: 0,
    headHash: undefined,
    earliestHeight: 1,
    mode: 'FULL',
    source: true,
    chainKey: undefined,
    userAgent: 'moloch/1.2.3',
    syncing: false,
    peerCount: 3,
    score: 1.234,
    gossip: { accepted: 3, useless: 2, dropped: 1 },
    points: 0,
    fault: undefined,
    connectedAt: 1_700_000_000_000,
    statusAt: 1_700_000_000_500,
    clock: undefined,
    reason: undefined,
    ...view
  }
}
