import '../../src/polyfill.ts'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLog } from '../../src/log.ts'
import { defaultConfig } from '../../src/node/config/load.ts'
import { startNode } from '../../src/node/node.ts'
import { peakMemory } from './peak-memory.ts'
import { answer } from './processes.ts'

// A whole node as `moloch start` runs it, in a process of its own that can be asked what it used.

export interface Started {
  readonly apiUrl: string
  readonly address: string
}

/** What a slow machine has that this one has not. */
export interface Handicap {
  /** Each write to the database takes this much longer. */
  readonly writeMs?: number
}

/** The sync of a node as its API has it; only what is read here. */
export interface SyncStatus {
  readonly height: number
  readonly stalled: { readonly message: string } | null
  readonly last_run: {
    readonly from_height: number
    readonly to_height: number
    readonly seconds: number
    readonly peers_used: number
  } | null
}

export interface Used {
  /** CPU seconds of all threads since the node started. */
  readonly cpuSeconds: number
  /** The most memory that the process ever had, in bytes. */
  readonly peakRss: number
  /** Of the main thread's event loop while the node runs (its start blocks the loop by itself), in ms. */
  readonly loopDelayP99: number
  readonly loopDelayMax: number
}

const delay = monitorEventLoopDelay({ resolution: 1 })
let cpu = process.cpuUsage()
let apiUrl = ''

answer({
  start: async (
    home: string,
    settings: Record<string, string | number | boolean | string[]>,
    { writeMs }: Handicap = {}
  ): Promise<Started> => {
    const config = defaultConfig(home, { 'api.port': 0, 'p2p.listen': ['/ip4/127.0.0.1/tcp/0'], ...settings })
    cpu = process.cpuUsage()
    const slowDisk = writeMs === undefined ? {} : { ledger: { beforeWrite: () => sleep(writeMs) } }
    const node = await startNode(config, silentLog, slowDisk)
    delay.enable()
    apiUrl = node.apiUrl
    return { apiUrl, address: node.addresses()[0] ?? '' }
  },
  /** Over HTTP: what is measured has its API asked as a user asks it. */
  sync: async (): Promise<SyncStatus> => {
    const response = await fetch(`${apiUrl}/v1/status`)
    return ((await response.json()) as { sync: SyncStatus }).sync
  },
  status: async (): Promise<{ readonly height: number; readonly state: string; readonly earliest: number }> => {
    const response = await fetch(`${apiUrl}/v1/status`)
    const status = (await response.json()) as { state: string; finalized: { height: number }; earliest_height: number }
    return { height: status.finalized.height, state: status.state, earliest: status.earliest_height }
  },
  used: (): Used => {
    const { user, system } = process.cpuUsage(cpu)
    return {
      cpuSeconds: (user + system) / 1e6,
      peakRss: peakMemory(),
      loopDelayP99: delay.percentile(99) / 1e6,
      loopDelayMax: delay.max / 1e6
    }
  }
})
