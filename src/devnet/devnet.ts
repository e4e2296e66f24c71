import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MolochError, messageOf } from '../error.ts'
import { ApiClient, type NodeStatus } from './api-client.ts'
import { createHomes, type Place, releaseHomes, removeHomes } from './homes.ts'
import { freePorts } from './ports.ts'
import { type Exit, NodeProcess } from './process.ts'
import { DEFAULT_SPEC, type DevnetRole, type DevnetSpec, members } from './spec.ts'
import { traceFiles } from './traces.ts'

/** How often a condition is looked at. */
const POLL_MS = 50
/** From spawn to ready, with all nodes starting at once on few cores. */
const READY_TIMEOUT_MS = 60_000

export interface DevnetNode {
  readonly name: string
  readonly role: DevnetRole
  readonly home: string
  readonly peerId: string
  /** A multiaddr with the peer id. */
  readonly address: string
  readonly api: ApiClient
  readonly logFile: string
  /** The running process; undefined while it is stopped. */
  readonly pid: number | undefined
}

/**
 * A network of real node processes on this machine: made, started, hurt and stopped from here. When the process that
 * made it ends, however it ends, so do all nodes (leash.ts).
 */
export class Devnet {
  readonly dir: string
  readonly spec: DevnetSpec
  readonly #places: readonly Place[]
  readonly #processes = new Map<string, NodeProcess>()
  readonly #apis = new Map<string, ApiClient>()

  private constructor(dir: string, spec: DevnetSpec, places: readonly Place[]) {
    this.dir = dir
    this.spec = spec
    this.#places = places
    for (const place of places) this.#apis.set(place.name, new ApiClient(`http://${place.apiHost}:${place.apiPort}`))
  }

  /**
   * Makes the homes of all nodes; nothing runs yet.
   * @throws MolochError NOT_A_DEVNET | DEVNET_RUNNING | NO_FREE_PORTS
   */
  static async create(directory: string, options: Partial<DevnetSpec> = {}): Promise<Devnet> {
    const dir = resolve(directory)
    const params = { ...DEFAULT_SPEC.params, ...options.params }
    const spec = { ...DEFAULT_SPEC, ...options, params, ...(options.trace && { trace: resolve(options.trace) }) }
    const names = members(spec).map(({ name }) => name)
    const ports = await freePorts(2 * names.length)
    const places = await createHomes(dir, spec, (name) => {
      const [p2p, api] = ports.slice(2 * names.indexOf(name)) as [number, number]
      const address = `/ip4/127.0.0.1/tcp/${p2p}`
      return { listen: address, address, apiHost: '127.0.0.1', apiPort: api }
    })
    return new Devnet(dir, spec, places)
  }

  get nodes(): readonly DevnetNode[] {
    return this.#places.map((place) => this.node(place.name))
  }

  node(name: string): DevnetNode {
    const place = this.#places.find((candidate) => candidate.name === name)
    if (place === undefined) {
      const known = this.#places.map((candidate) => candidate.name).join(', ')
      throw new MolochError('NODE_UNKNOWN', `no node named ${name}; there are ${known}`)
    }
    const process = this.#processes.get(name)
    return {
      name,
      role: place.role,
      home: place.home,
      peerId: place.peerId,
      address: `${place.address}/p2p/${place.peerId}`,
      api: this.#apis.get(name) as ApiClient,
      logFile: NodeProcess.logFile(place.home),
      pid: process?.exit === undefined ? process?.pid : undefined
    }
  }

  /** The nodes whose processes run. */
  get running(): readonly DevnetNode[] {
    return this.nodes.filter((node) => node.pid !== undefined)
  }

  /**
   * Starts nodes (default: all but the late one) and waits until each one's API says that it is ready.
   * @throws MolochError NODE_ENDED with the last line of its log, TIMEOUT
   */
  async start(names = this.nodes.filter((node) => node.role !== 'late').map((node) => node.name)): Promise<void> {
    this.spawn(names)
    await Promise.all(names.map((name) => this.ready(name)))
  }

  /** Starts nodes without waiting for anything. */
  spawn(names: readonly string[], args: readonly string[] = []): void {
    for (const name of names) {
      const { home, pid } = this.node(name)
      if (pid !== undefined) throw new MolochError('NODE_RUNNING', `${name} runs already (process ${pid})`)
      this.#processes.set(name, new NodeProcess(home, args))
    }
  }

  async ready(name: string): Promise<void> {
    const { api } = this.node(name)
    await this.waitFor(`${name} to be ready`, () => api.ready(), READY_TIMEOUT_MS, [name])
  }

  /** Sends a signal and waits until the process is gone. */
  async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    return this.#process(name).kill(signal)
  }

  /** Waits until a node has ended, for those who expect it to. */
  async exit(name: string): Promise<Exit> {
    return this.#process(name).exited
  }

  async restart(name: string): Promise<void> {
    if (this.node(name).pid !== undefined) await this.#process(name).stop()
    await this.start([name])
  }

  async status(name: string): Promise<NodeStatus> {
    return this.node(name).api.status()
  }

  /** The statuses of all nodes that run and answer. */
  async statuses(): Promise<Map<string, NodeStatus>> {
    const all = await Promise.all(
      this.running.map(async (node) => [node.name, await node.api.status().catch(() => undefined)] as const)
    )
    return new Map(all.filter((entry): entry is [string, NodeStatus] => entry[1] !== undefined))
  }

  /** The log of a node so far. */
  log(name: string): string {
    return readFileSync(this.node(name).logFile, 'utf8')
  }

  /**
   * Waits until a condition holds; one that throws does not hold yet.
   * @param needed nodes that must be running meanwhile: when one of them ends there is nothing to wait for
   * @throws MolochError TIMEOUT that says what was waited for, NODE_ENDED
   */
  async waitFor(
    what: string,
    condition: () => boolean | Promise<boolean>,
    timeoutMs: number,
    needed: readonly string[] = []
  ): Promise<void> {
    const end = performance.now() + timeoutMs
    let last = ''
    for (;;) {
      try {
        if (await condition()) return
        last = ''
      } catch (error) {
        last = ` (${messageOf(error)})`
      }
      for (const name of needed) {
        const process = this.#processes.get(name)
        if (process?.exit !== undefined) throw process.describeExit(name)
      }
      if (performance.now() > end) throw new MolochError('TIMEOUT', `waited ${timeoutMs / 1000} s for ${what}${last}`)
      await delay(POLL_MS)
    }
  }

  /** The gossip traces; whole once the nodes have stopped. Undefined if none were asked for. */
  get traces(): readonly string[] | undefined {
    const names = this.#places.map(({ name }) => name)
    return this.spec.trace === undefined ? undefined : traceFiles(this.spec.trace, names)
  }

  /** A node that ended although nobody stopped it, as an error. */
  unexpectedExit(): MolochError | undefined {
    for (const [name, process] of this.#processes) if (process.exit !== undefined) return process.describeExit(name)
    return undefined
  }

  /** Stops all nodes in order; the homes stay. */
  async stop(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((process) => process.stop()))
    this.#processes.clear()
    releaseHomes(this.dir)
  }

  /** Ends what still runs, at once. */
  stopNow(): void {
    for (const process of this.#processes.values()) void process.kill('SIGKILL')
  }

  /** Stops all nodes and removes their homes. */
  async remove(): Promise<void> {
    await this.stop()
    removeHomes(this.dir)
  }

  #process(name: string): NodeProcess {
    const process = this.#processes.get(name)
    if (process === undefined) throw new MolochError('NODE_UNKNOWN', `${this.node(name).name} was not started`)
    return process
  }
}
