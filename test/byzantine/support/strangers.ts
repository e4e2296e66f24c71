/** Strangers in a process of their own (strangers-main.ts), called in and off. */
import { type ChildProcess, fork } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { onTestFinished } from 'vitest'
import type { Victim } from './stranger.ts'

interface Armament {
  /** Messages of the flood of valid events, each time. */
  readonly floods: number
  /** How often they are called in. */
  readonly times: number
}

export type Order =
  | ({ readonly do: 'arm'; readonly genesis: string; readonly victims: readonly Victim[] } & Armament)
  /** Without names: with all they have. */
  | { readonly do: 'strike'; readonly attacks?: readonly string[] }
  | { readonly do: 'stop' }

export type Told =
  | { readonly done: Order['do']; readonly connects: number }
  | { readonly struck: string }
  | { readonly failed: string }

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const ENTRY = fileURLToPath(new URL('strangers-main.ts', import.meta.url))

/** What helpers shared with tests ask of vitest: here nothing is cleaned up but by the end of the process. */
const NO_VITEST = `const none = () => {}
export { none as afterEach, none as onTestFinished, none as expect, none as test, none as vi }`

async function built(): Promise<string> {
  const file = join(ROOT, '.cache', `strangers-${process.pid}.mjs`)
  const bundle = await rolldown({
    input: ENTRY,
    cwd: ROOT,
    platform: 'node',
    external: (id) => id !== 'vitest' && !id.startsWith('.') && !id.startsWith('/') && !id.startsWith('\0'),
    plugins: [
      {
        name: 'no-vitest',
        resolveId: (id) => (id === 'vitest' ? '\0vitest' : null),
        load: (id) => (id === '\0vitest' ? NO_VITEST : null)
      }
    ]
  })
  await bundle.write({ file, format: 'esm', codeSplitting: false })
  await bundle.close()
  return file
}

export class Strangers {
  readonly #process: ChildProcess
  readonly #done = new Map<Order['do'], (connects: number) => void>()
  /** Strikes since they were called in. */
  deeds: Record<string, number> = {}
  readonly failures: string[] = []
  /** Connections that third parties saw. */
  connects = 0

  static async come(): Promise<Strangers> {
    const file = await built()
    onTestFinished(() => rm(file, { force: true }))
    return new Strangers(fork(file, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }))
  }

  private constructor(process: ChildProcess) {
    this.#process = process
    process.on('message', (told: Told) => {
      if ('struck' in told) this.deeds[told.struck] = (this.deeds[told.struck] ?? 0) + 1
      else if ('failed' in told) this.failures.push(told.failed)
      else this.#done.get(told.done)?.(told.connects)
    })
    process.on('exit', () => {
      for (const done of this.#done.values()) done(Number.NaN)
    })
    onTestFinished(() => void process.kill('SIGKILL'))
  }

  /** What takes time beforehand. */
  async arm(genesis: string, victims: readonly Victim[], armament: Armament): Promise<void> {
    const plain = victims.map(({ name, peerId, address }) => ({ name, peerId, address }))
    await this.#order({ do: 'arm', genesis, victims: plain, ...armament })
  }

  async strike(attacks?: readonly string[]): Promise<void> {
    this.deeds = {}
    await this.#order({ do: 'strike', ...(attacks && { attacks }) })
  }

  /** Calls all of it off, and waits for it. */
  async stop(): Promise<void> {
    this.connects = await this.#order({ do: 'stop' })
  }

  #order(order: Order): Promise<number> {
    return new Promise((resolve) => {
      this.#done.set(order.do, resolve)
      this.#process.send(order)
    })
  }
}
