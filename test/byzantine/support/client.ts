import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import { toHex } from '../../../src/codec/bytes.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import { verifyHome } from '../../../src/ledger/verify/verify.ts'
import { LightChain } from '../../../src/light/light-chain.ts'
import { silentLog } from '../../../src/log.ts'
import type { NetworkSettings } from '../../../src/network/settings.ts'
import { defaultConfig } from '../../../src/node/config/load.ts'
import type { SettingValue } from '../../../src/node/config/settings.ts'
import { createHome } from '../../../src/node/create-home.ts'
import { type NodeTuning, startNode } from '../../../src/node/node.ts'
import type { RunningNode } from '../../../src/node/running.ts'
import { SyncManager } from '../../../src/sync/manager.ts'
import type { SyncState } from '../../../src/sync/types.ts'
import { stopLater, until } from '../../network/support/hosts.ts'
import { LogBook } from '../../network/support/nodes.ts'
import { slowness } from '../../support/patience.ts'
import { honestChain } from './chain.ts'

/** The node's network: quick to connect and to tell, slow to give up, so that no honest peer is late on a busy machine. */
function network(slow: number): Partial<NetworkSettings> {
  return {
    openMs: 5000 * slow,
    firstByteMs: 5000 * slow,
    frameMs: 5000 * slow,
    requestMs: 1000,
    stallMs: 5000 * slow,
    graceMs: 300,
    statusPushMs: 100,
    subscriptionMs: 200,
    gossipHeartbeatMs: 200,
    redialFirstMs: 100,
    redialLastMs: 400
  }
}

/** Honest peers wait for the hostile one: nothing is gained by waiting for peers here too. */
const GATHER_MS = 50
/** Little more than the least that blocks of this chain need. */
export const BUFFER_BYTES = 12 << 20
/** A node that is lost in a flood takes more than this; what a start takes by itself is less. */
const GROWTH_BYTES = 128 << 20

interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into answers of many shapes
  readonly body: any
}

export interface ClientOptions {
  readonly tuning?: NodeTuning | undefined
  /** In place of the defaults; `mode` = light makes it a light node. */
  readonly settings?: Readonly<Record<string, SettingValue>> | undefined
  /** Of a client that was stopped; a new one if undefined. */
  readonly home?: string
}

/** The honest node: a whole one, as `moloch start` runs it, at genesis. */
export class Client {
  readonly log: LogBook
  readonly node: RunningNode
  readonly #sync: SyncManager
  readonly home: string
  readonly #rss = process.memoryUsage.rss()
  /** The most that was seen of each. */
  readonly most = { heldBytes: 0, targetHeight: 0, growth: 0 }
  /** Codes of stalls, in order. */
  readonly stalls: string[] = []

  private constructor(node: RunningNode, sync: SyncManager, log: LogBook, home: string) {
    this.node = node
    this.log = log
    this.#sync = sync
    this.home = home
    sync.on('stalled', ({ code }) => this.stalls.push(code))
  }

  static async start(bootstrap: readonly string[], options: ClientOptions = {}): Promise<Client> {
    const { tuning = {}, settings, home = await newHome() } = options
    const slow = Math.ceil(slowness())
    const config = defaultConfig(home, {
      'api.port': 0,
      'p2p.listen': ['/ip4/127.0.0.1/tcp/0'],
      'p2p.bootstrap': [...bootstrap],
      'p2p.status_interval_ms': 10_000,
      'p2p.hello_timeout_ms': 2000 * slow,
      'sync.verify_workers': 1,
      'sync.max_buffer_bytes': BUFFER_BYTES,
      ...settings
    })
    const log = new LogBook()
    // The composition root hands out no sync manager; this sees which it made, and changes nothing.
    const seen = vi.spyOn(SyncManager.prototype, 'on')
    try {
      const node = await startNode(config, log, {
        ...tuning,
        network: { ...network(slow), ...tuning.network },
        sync: { gatherMs: GATHER_MS, stallAfterMs: 2000 * slow, ...tuning.sync }
      })
      stopLater(node)
      return new Client(node, seen.mock.contexts[0] as SyncManager, log, home)
    } finally {
      seen.mockRestore()
    }
  }

  get state(): SyncState {
    return this.#sync.state()
  }

  /** Waits for the condition, and looks at what the node takes meanwhile. */
  async until(what: string, condition: () => boolean, ms = 10_000): Promise<void> {
    const look = (): boolean => {
      this.#sample()
      return condition()
    }
    await until(what, look, ms).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#story()}`, { cause: error })
    })
  }

  /** Range sync has come to `height` and handed over. */
  async synced(height: number): Promise<void> {
    await this.until(`a sync to ${height}`, () => {
      const { strategy, lastRun } = this.state
      return strategy === 'gossip' && lastRun?.to === height
    })
  }

  /** What became of a peer: `<verdict> <code>` of each sort that the log has. */
  verdictsOn(peerId: string): string[] {
    const lines = this.log.lines.filter(({ details }) => details.peer === peerId && details.verdict !== undefined)
    return [...new Set(lines.map(({ details }) => `${details.verdict} ${details.code}`))]
  }

  /** Asks its API. */
  async get(path: string): Promise<Answer> {
    const response = await fetch(`${this.node.apiUrl}${path}`)
    return { status: response.status, body: await response.json() }
  }

  get isBounded(): boolean {
    return this.most.heldBytes <= BUFFER_BYTES && this.most.growth <= GROWTH_BYTES
  }

  /** Stops the node and checks all that it stored from genesis, as `moloch db verify` does. */
  async stored(): Promise<{ height: number; hash: string; fault: string | undefined }> {
    await this.node.stop()
    const { genesis } = honestChain()
    const path = chainPath(this.home)
    const { height, fault } = await verifyHome({ path, genesis })
    const ledger = await Ledger.open({ path, genesis, log: silentLog })
    try {
      return { height, hash: toHex(ledger.tip.hash), fault }
    } finally {
      await ledger.close()
    }
  }

  /** Stops the light node and opens the headers that it stored, which checks the last one and the range over all. */
  async trusted(): Promise<{ height: number; hash: string; conflict: string | undefined }> {
    await this.node.stop()
    const chain = await LightChain.open({ path: chainPath(this.home), genesis: honestChain().genesis, log: silentLog })
    try {
      return { height: chain.tip.height, hash: toHex(chain.tip.hash), conflict: chain.conflict?.description }
    } finally {
      await chain.close()
    }
  }

  #sample(): void {
    const { heldBytes, targetHeight } = this.state
    const { most } = this
    most.heldBytes = Math.max(most.heldBytes, heldBytes)
    most.targetHeight = Math.max(most.targetHeight, targetHeight)
    most.growth = Math.max(most.growth, process.memoryUsage.rss() - this.#rss)
  }

  /** For a failed wait. */
  #story(): string {
    const { height, targetHeight, peers, ranges } = this.state
    const lines = this.log.lines
      .slice(-12)
      .map((line) => `${line.level} ${line.message} ${JSON.stringify(line.details)}`)
    return [`at ${height} of ${targetHeight}, ${peers} peers, ${JSON.stringify(ranges)}`, ...lines].join('\n')
  }
}

async function newHome(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'moloch-byzantine-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const home = join(folder, 'home')
  await createHome({ home, genesis: honestChain().genesis })
  return home
}

function chainPath(home: string): string {
  return join(home, 'data', 'chain')
}
