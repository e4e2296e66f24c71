import { setTimeout as sleep } from 'node:timers/promises'
import type { Cli } from './cli.ts'

/** An orderly stop that takes longer is given up: whoever supervises the node would kill it soon anyway. */
const STOP_LIMIT_MS = 10_000
/** A stop that is quicker needs no words about what it waits for. */
const PATIENCE_MS = 1000

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** What is stopped. */
export interface Stoppable {
  stop(): Promise<void>
  readonly waitingFor: string | undefined
}

/** Resolves with the name of the first SIGINT or SIGTERM; the second ends the process at once. */
export function firstSignal(onSecond: (signal: NodeJS.Signals) => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first = true
    const listener = (signal: NodeJS.Signals) => {
      if (!first) return onSecond(signal)
      first = false
      resolve(signal)
    }
    for (const signal of SIGNALS) process.on(signal, listener)
  })
}

/** Stops in order, saying what it waits for. @returns whether that was done within the limit */
export async function stopInOrder(cli: Cli, node: Stoppable, limitMs = STOP_LIMIT_MS): Promise<boolean> {
  const done = new AbortController()
  const stopped = node.stop().then(() => done.abort())
  const patience = (async () => {
    const deadline = performance.now() + limitMs
    while (performance.now() < deadline) {
      await sleep(Math.min(PATIENCE_MS, limitMs), undefined, { signal: done.signal }).catch(() => {})
      if (done.signal.aborted) return
      cli.err(`waiting for ${node.waitingFor ?? 'the node'}`)
    }
  })()
  await Promise.race([stopped, patience])
  if (done.signal.aborted) return true
  cli.err(`gave up waiting for ${node.waitingFor ?? 'the node'} after ${limitMs / 1000} s; the data is safe`)
  return false
}
