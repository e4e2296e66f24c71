import { Readable } from 'node:stream'
import { run } from '../../../src/cli/program.ts'

/** A command that runs until it is told to end. */
export interface Running {
  /** Lines of standard output so far. */
  readonly out: string[]
  readonly err: string[]
  /** Whether whoever reads the output is behind. */
  behind: boolean
  /** The exit code. */
  readonly done: Promise<number>
  /** As if the process got a signal; only this command hears of it. */
  signal(): void
}

/** Starts a command line in this process; it listens for signals when this resolves. */
export async function running(args: readonly string[], env: Record<string, string> = {}): Promise<Running> {
  const [out, err]: [string[], string[]] = [[], []]
  const reader = { behind: false }
  const before = new Set(process.listeners('SIGTERM'))
  let listening = (): void => {}
  const listens = new Promise<void>((resolve) => {
    listening = resolve
  })
  const done = run(
    {
      env,
      out: (text) => out.push(...text.split('\n')),
      err: (text) => {
        err.push(...text.split('\n'))
        if (text.startsWith('observing ')) listening()
      },
      isBehind: () => reader.behind,
      outlive: () => {},
      stdin: () => Readable.from([])
    },
    args
  )
  await Promise.race([listens, done])
  const own = process.listeners('SIGTERM').filter((listener) => !before.has(listener))
  const signal = (): void => {
    for (const listener of own) listener('SIGTERM')
  }
  return Object.assign(reader, { out, err, done, signal })
}
