import type { Log } from './log.ts'

/** Warnings and errors let through a minute. */
export const LINES_A_MINUTE = 3
const MINUTE_MS = 60_000

/**
 * A log for what others can cause as often as they like, such as an equivocation at each height or a refused peer under
 * ever new ids: a few warnings and
 * errors a minute, of which the first after a silence says how many there were not. The others are debug lines.
 */
export function quietLog(log: Log, clock: { monotonic(): number }, linesAMinute = LINES_A_MINUTE): Log {
  let since = Number.NEGATIVE_INFINITY
  let lines = 0
  let held = 0
  const say = (level: 'warn' | 'error', details: object, message: string): void => {
    const now = clock.monotonic()
    if (now - since >= MINUTE_MS) {
      since = now
      lines = 0
    }
    if (++lines > linesAMinute) {
      held++
      log.debug(details, message)
      return
    }
    log[level](held === 0 ? details : { ...details, notShown: held }, message)
    held = 0
  }
  return {
    debug: (details, message) => log.debug(details, message),
    info: (details, message) => log.info(details, message),
    warn: (details, message) => say('warn', details, message),
    error: (details, message) => say('error', details, message)
  }
}
