import { MolochError } from '../error.ts'

/** What a command touches of the process it runs in. Data goes to `out`, everything else to `err`. */
export interface Cli {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (text: string) => void
  /** Whether so much waits for whoever reads `out` that a command without an end should not add to it. */
  readonly isBehind: () => boolean
  /** From now on it does not matter to the process whether anybody takes `out`. */
  readonly outlive: () => void
  readonly err: (text: string) => void
  readonly stdin: () => AsyncIterable<Uint8Array | string>
}

/** Exit codes, after sysexits(3): people's faults and bugs are told apart by scripts too. */
export const EXIT = {
  ok: 0,
  /** What was asked for could not be done; one line says why. */
  fault: 1,
  /** The command line is wrong. */
  usage: 64,
  /** A bug: with a stack. */
  bug: 70
} as const

/** The command line is wrong: exit 64. */
export function usageError(message: string): MolochError {
  return new MolochError('USAGE', message)
}

export function printJson(cli: Cli, value: unknown): void {
  cli.out(JSON.stringify(value, null, 2))
}
