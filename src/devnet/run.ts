/** One run of `moloch devnet`: from its options to its exit code. */
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fromHex } from '../codec/bytes.ts'
import { MolochError } from '../error.ts'
import { stderrTerminal } from '../lines.ts'
import { Devnet } from './devnet.ts'
import { Feeder } from './feeder.ts'
import { type Goal, goalOf } from './goal.ts'
import { type Input, openInput } from './input.ts'
import { LateNode } from './late-node.ts'
import type { RunOptions } from './options.ts'
import { collectResult, type DevnetResult, disagreement } from './result.ts'
import { LATE } from './spec.ts'
import { type Picture, Screen } from './table.ts'
import { summarizeTraces, TRACES } from './traces.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
const DRAW_MS = 250
/** Without a new block for so long the run has failed: a round takes seconds even with dead proposers. */
const STANDSTILL_MS = 90_000

/**
 * Runs a devnet and prints how it ended. Unless all went well the homes and logs stay, and it is said where.
 * @throws MolochError for what the user asked for and cannot have, or what went wrong in the network: above all
 * DISAGREEMENT if the nodes do not have one finalized chain
 */
export async function runDevnet(options: RunOptions): Promise<void> {
  const screen = new Screen(stderrTerminal)
  const input = await openInput(options)
  const traceDir = options.trace === true ? join(options.dir, TRACES) : options.trace
  const devnet = await Devnet.create(options.dir, { ...options, trace: traceDir })
  const interrupt = new AbortController()
  const onSignal = () => {
    if (interrupt.signal.aborted) devnet.stopNow()
    else screen.say('stopping all nodes; once more to end them at once')
    interrupt.abort()
  }
  for (const name of SIGNALS) process.on(name, onSignal)
  let well = false
  try {
    const ended = await new Run(devnet, input, options, screen, interrupt.signal).result()
    await devnet.stop()
    const { traces } = devnet
    const trace = traces === undefined ? null : await summarizeTraces(traces, (text) => screen.say(text))
    if (ended === undefined) throw new MolochError('INTERRUPTED', 'interrupted before the end')
    const result = { ...ended, trace }
    process.stdout.write(`${options.json ? JSON.stringify(result) : summary(result)}\n`)
    const wrong = disagreement(result)
    if (wrong !== undefined) throw new MolochError('DISAGREEMENT', wrong)
    well = true
  } finally {
    await devnet.stop()
    if (well && !options.keep) await devnet.remove()
    else screen.say(`homes and logs: ${devnet.dir}`)
    for (const name of SIGNALS) process.off(name, onSignal)
  }
}

class Run {
  readonly #devnet: Devnet
  readonly #input: Input
  readonly #options: RunOptions
  readonly #screen: Screen
  readonly #interrupt: AbortSignal
  readonly #goal: Goal
  readonly #started = performance.now()
  #late: LateNode | undefined

  constructor(devnet: Devnet, input: Input, options: RunOptions, screen: Screen, interrupt: AbortSignal) {
    this.#devnet = devnet
    this.#input = input
    this.#options = options
    this.#screen = screen
    this.#interrupt = interrupt
    this.#goal = goalOf(options)
  }

  /** Undefined if it was interrupted before its goal; without a goal an interrupt is its end. */
  async result(): Promise<DevnetResult | undefined> {
    const { validators, nodes, light, rate } = this.#options
    const lights = light === 0 ? '' : `, ${light} light nodes`
    this.#say(`${validators} validators, ${nodes} full nodes${lights} in ${this.#devnet.dir}`)
    if (!(await this.#unlessInterrupted(this.#devnet.start()))) return undefined
    this.#say(`all are ready; feeding ${rate} events/s: ${this.#input.name}`)
    const feeder = await this.#feeder()
    feeder.start()
    try {
      const reached = await this.#watch(feeder)
      if (!reached && this.#goal.shown !== '') return undefined
    } finally {
      await feeder.stop()
    }
    return collectResult(this.#devnet, feeder.latencies, this.#late?.result)
  }

  /** Until the goal is reached (true) or somebody interrupts (false). */
  async #watch(feeder: Feeder): Promise<boolean> {
    let grewAt = performance.now()
    let seen = 0
    while (!this.#interrupt.aborted) {
      const statuses = await this.#devnet.statuses()
      const heights = [...statuses.values()].map((status) => status.finalized.height)
      const highest = Math.max(0, ...heights)
      const lowest = statuses.size < this.#devnet.running.length ? 0 : Math.min(...heights)
      const elapsedMs = performance.now() - this.#started
      if (highest > seen) grewAt = performance.now()
      seen = Math.max(seen, highest)

      const failure = this.#devnet.unexpectedExit() ?? feeder.failure
      if (failure !== undefined) throw failure
      if (performance.now() - grewAt > STANDSTILL_MS) {
        throw new MolochError('STANDSTILL', `no block after ${seen} for ${STANDSTILL_MS / 1000} s`)
      }
      const progress = { highest, lowest, elapsedMs }
      if (this.#late === undefined && this.#goal.joins(progress)) {
        this.#late = new LateNode(highest)
        this.#devnet.spawn([LATE])
        this.#say(`the late node joins at height ${highest}`)
      }
      const late = statuses.get(LATE)
      if (late !== undefined) this.#late?.see(late)
      this.#screen.draw(this.#picture(statuses, feeder, elapsedMs))
      if (this.#late?.done === true && this.#goal.reached(progress)) return true
      await delay(DRAW_MS, undefined, { signal: this.#interrupt }).catch(() => undefined)
    }
    return false
  }

  #picture(statuses: Picture['statuses'], feeder: Feeder, elapsedMs: number): Picture {
    return {
      names: this.#devnet.nodes.map((node) => node.name),
      statuses,
      feed: feeder.stats(),
      target: this.#goal.shown,
      elapsedMs,
      note: this.#late?.note ?? ''
    }
  }

  async #feeder(): Promise<Feeder> {
    const [first] = this.#devnet.nodes
    const { genesis_hash } = await this.#devnet.status((first as { name: string }).name)
    return new Feeder({
      events: this.#input.events,
      rate: this.#options.rate,
      genesisHash: fromHex(genesis_hash, 32) as Uint8Array,
      seed: this.#options.seed,
      targets: this.#devnet.nodes.filter((node) => node.role === 'validator').map((node) => node.api),
      onRefused: ({ code, message }) => this.#say(`events refused (${code}, said once): ${message}`)
    })
  }

  async #unlessInterrupted(work: Promise<void>): Promise<boolean> {
    if (this.#interrupt.aborted) return false
    const interrupted = new AbortController()
    const stop = once(this.#interrupt, 'abort', { signal: interrupted.signal }).then(() => false)
    stop.catch(() => undefined)
    try {
      return await Promise.race([work.then(() => true), stop])
    } finally {
      interrupted.abort()
      work.catch(() => undefined)
    }
  }

  #say(line: string): void {
    this.#screen.say(line)
  }
}

function summary(result: DevnetResult): string {
  const { finality_ms: finality, late_node: late, nodes } = result
  return [
    `chain ${result.chain_id}: ${result.finalized_height} blocks, ${result.events_finalized} events finalized`,
    `finality: p50 ${finality.p50 ?? '-'} ms, p99 ${finality.p99 ?? '-'} ms`,
    ...(late === null
      ? []
      : [
          `late node: ${late.blocks} blocks from height ${late.from_height} in ${late.seconds} s (${late.blocks_per_second} blocks/s) from ${late.peers_used} peers`
        ]),
    ...nodes.map((node) => `${node.name} (${node.role}): ${node.finalized_height} ${node.finalized_hash}`)
  ].join('\n')
}
