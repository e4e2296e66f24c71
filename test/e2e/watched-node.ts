import { type FSWatcher, watch } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { ApiClient, type NodeStatus } from '../../src/devnet/api-client.ts'
import { freePorts } from '../../src/devnet/ports.ts'
import { type Exit, NodeProcess } from '../../src/devnet/process.ts'
import { homePaths } from '../../src/node/home.ts'
import { until } from '../network/support/hosts.ts'
import type { WarpServers } from './warp-servers.ts'

/** What is seen of a warp with backfill from outside, in its order. */
const STEPS = [
  /** Its process was started. */
  'start',
  /** It is sent a manifest, and then chunks. */
  'manifest',
  'chunk',
  /** The folder of the new database is there, and then has its name as a whole one. */
  'import',
  'switch',
  /** It is sent a block above the snapshot, and below it. */
  'above',
  'below'
] as const

export type Step = (typeof STEPS)[number]

/** So long after a step came for the `nth` time in this life of the node, or a later one. */
export interface Moment {
  readonly step: Step
  readonly nth: number
  readonly delayMs: number
}

/** What tells two nodes with the same chain from others. */
export interface Status extends NodeStatus {
  readonly earliest_height: number
  readonly mmr_root: string
  readonly state_root: string
  readonly sync: NodeStatus['sync'] & { readonly backfill: { readonly status: string } | null }
}

/** On a machine that does much else. */
const COMPLETE_MS = 90_000
/** What a node is asked takes from what it has to do. */
const ASK_MS = 100

/** One life of `moloch start`, over whatever an earlier one left in the home. It ends with the test at the latest. */
export class WatchedNode {
  readonly #process: NodeProcess
  readonly #api: ApiClient
  readonly #watcher: FSWatcher
  readonly #offs: readonly (() => void)[]
  readonly #counts = new Map<Step, number>([['start', 1]])
  #onStep: () => void = () => {}

  static async start(home: string, args: readonly string[], servers: WarpServers): Promise<WatchedNode> {
    const [port] = await freePorts(1)
    return new WatchedNode(home, args, servers, port as number)
  }

  private constructor(home: string, args: readonly string[], servers: WarpServers, port: number) {
    const base = servers.source.manifest.height
    this.#api = new ApiClient(`http://127.0.0.1:${port}`)
    this.#watcher = watch(homePaths(home).data, (_, name) => {
      if (name === 'chain.staged') this.#step('import')
      if (name === 'chain.new') this.#step('switch')
    })
    this.#offs = [
      servers.on('manifest', () => this.#step('manifest')),
      servers.on('chunk', () => this.#step('chunk')),
      servers.on('block', (height) => this.#step(height > base ? 'above' : 'below'))
    ]
    this.#process = new NodeProcess(home, [...args, '--api-port', String(port)])
    onTestFinished(async () => {
      await this.end('SIGKILL')
    })
  }

  /** Kills it at a moment of its life. If that does not come (it had less to do) it is killed when all is done. */
  async killAt({ step, nth, delayMs }: Moment, height: number): Promise<void> {
    const later = STEPS.slice(STEPS.indexOf(step) + 1)
    const reached = new Promise<void>((resolve) => {
      this.#onStep = () => {
        if ((this.#counts.get(step) ?? 0) >= nth || later.some((one) => this.#counts.has(one))) resolve()
      }
      this.#onStep()
    })
    const waiting = new AbortController()
    try {
      await Promise.race([reached, this.complete(height, waiting.signal)])
    } finally {
      waiting.abort()
    }
    await delay(delayMs)
    if (this.#process.exit !== undefined) throw this.#process.describeExit('the node')
    await this.end('SIGKILL')
  }

  /** Waits until it has the chain up to `height` with all history. */
  async complete(height: number, signal?: AbortSignal): Promise<Status> {
    let status: Status | undefined
    const isComplete = async (): Promise<boolean> => {
      await delay(ASK_MS)
      if (signal?.aborted === true) return true
      if (this.#process.exit !== undefined) throw this.#process.describeExit('the node')
      status = (await this.#api.status().catch(() => undefined)) as Status | undefined
      if (status === undefined || status.finalized.height < height || status.earliest_height > 1) return false
      return status.sync.backfill === null || status.sync.backfill.status === 'done'
    }
    await until('all history', isComplete, COMPLETE_MS)
    return status as Status
  }

  async end(signal: NodeJS.Signals): Promise<Exit> {
    this.#watcher.close()
    for (const off of this.#offs) off()
    return this.#process.kill(signal)
  }

  #step(step: Step): void {
    this.#counts.set(step, (this.#counts.get(step) ?? 0) + 1)
    this.#onStep()
  }
}
