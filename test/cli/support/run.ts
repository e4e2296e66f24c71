import { Readable } from 'node:stream'
import type { Cli } from '../../../src/cli/cli.ts'
import { run } from '../../../src/cli/program.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command line in this process. */
export async function moloch(
  args: readonly string[],
  options: { env?: Record<string, string>; stdin?: string } = {}
): Promise<Ran> {
  const out: string[] = []
  const err: string[] = []
  const cli: Cli = {
    env: options.env ?? {},
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    isBehind: () => false,
    outlive: () => {},
    stdin: () => Readable.from([options.stdin ?? ''])
  }
  const code = await run(cli, args)
  return { code, out: out.join('\n'), err: err.join('\n') }
}
