#!/usr/bin/env node
import '../polyfill.ts'
import { stderrLines } from '../lines.ts'
import { assertOpenFiles } from '../node/open-files.ts'
import type { Cli } from './cli.ts'
import { EXIT } from './cli.ts'
import { report } from './report.ts'

/** Some seconds of gossip. */
const MAX_WAITING_BYTES = 4 << 20

let outMatters = true
const cli: Cli = {
  env: process.env,
  out: (text) => process.stdout.write(`${text}\n`),
  isBehind: () => process.stdout.writableLength > MAX_WAITING_BYTES,
  outlive: () => {
    outMatters = false
  },
  err: (text) => stderrLines().write(`${text}\n`),
  stdin: () => process.stdin
}

// Whoever reads our output may stop reading (`moloch event list | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (!outMatters) return
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  cli.err(`moloch: cannot write to stdout: ${error.message}`)
  process.exit(EXIT.fault)
})
for (const name of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(name, (error: unknown) => process.exit(report(cli, error)))
}

// Before the program is loaded: Node opens so many of its files at once that this alone may fail.
const code = await assertOpenFiles().then(
  async () => (await import('./program.ts')).run(cli, process.argv.slice(2)),
  (error: unknown) => report(cli, error)
)
// What is still open has nothing left to do (a library's timer, a socket); what was printed is flushed first.
// What went wrong with it is heard of a little later.
process.stdout.write('', () => setImmediate(() => process.exit(code)))
