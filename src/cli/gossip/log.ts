import type { Log } from '../../log.ts'
import type { Cli } from '../cli.ts'

const nothing = (): void => {}

/** What may be wrong, in one line each. */
export function warnings(cli: Cli): Log {
  const say = (_: object, message: string): void => cli.err(`moloch: ${message}`)
  return { debug: nothing, info: nothing, warn: say, error: say }
}
