import { Patience } from './patience.ts'

/** Waits until the condition holds: `ms` on an idle machine, longer on a busy one. The error says what was waited for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const patience = new Patience(ms)
  while (!(await condition())) {
    if (patience.isOver) throw new Error(`not within ${patience}: ${what}`)
    await pause(5)
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

interface Waiting {
  /** On an idle machine, ms. */
  readonly timeout?: number
  readonly interval?: number
}

/** Waits until `attempt` no longer throws. @returns what it returned @throws what it threw last, when the time is up */
export async function waitFor<T>(
  attempt: () => T | Promise<T>,
  { timeout = 10_000, interval = 20 }: Waiting = {}
): Promise<T> {
  const patience = new Patience(timeout)
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (patience.isOver) throw error
    }
    await pause(interval)
  }
}

/** Waits until the value is true. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  { timeout = 10_000 }: Waiting = {}
): Promise<void> {
  await until(String(condition), condition, timeout)
}
