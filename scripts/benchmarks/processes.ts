import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { atEnd } from './cleanup.ts'

/** What a process of a benchmark says to the one that started it. */
export type Said = { readonly ok: unknown } | { readonly failed: string }

/**
 * A process of its own for one side of a benchmark: it runs `script`, and each message sent to it is a call that it
 * answers. What it writes goes to stderr, so that stdout is the table's alone.
 */
export class Side {
  readonly #child: ChildProcess
  readonly #ended: Promise<never>
  readonly #kill: () => void

  /** @param prefix a command that runs another in its own process, such as `ip netns exec NAME` */
  constructor(script: string, { prefix = [] }: { readonly prefix?: readonly string[] } = {}) {
    const path = fileURLToPath(new URL(script, import.meta.url))
    const [execPath = process.execPath, ...execArgv] = [...prefix, process.execPath]
    this.#child = fork(path, {
      execPath,
      execArgv,
      stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
      serialization: 'advanced'
    })
    this.#kill = atEnd(() => this.#child.kill('SIGKILL'))
    this.#ended = new Promise((_, reject) => {
      this.#child.once('exit', (code, signal) => reject(new Error(`${script} ended early (${signal ?? code})`)))
      this.#child.once('error', reject)
    })
    this.#ended.catch(() => {})
  }

  /** Calls one of the functions that the script gave to `answer`. */
  async call<Result>(name: string, ...args: unknown[]): Promise<Result> {
    const answered = new Promise<Said>((resolve) => this.#child.once('message', (said) => resolve(said as Said)))
    this.#child.send([name, ...args])
    const said = await Promise.race([answered, this.#ended])
    if ('failed' in said) throw new Error(said.failed)
    return said.ok as Result
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()))
    this.#kill()
    await gone
  }
}

/** In the process: answers calls by these functions, one at a time. */
export function answer(functions: Readonly<Record<string, (...args: never[]) => unknown>>): void {
  process.on('message', async ([name, ...args]: [string, ...never[]]) => {
    try {
      process.send?.({ ok: await functions[name]?.(...args) } satisfies Said)
    } catch (error) {
      process.send?.({ failed: error instanceof Error ? String(error.stack) : String(error) } satisfies Said)
    }
  })
  process.on('disconnect', () => process.exit())
}
