#!/usr/bin/env node
import '../polyfill.ts'
import type { Cli } from './cli.ts'
import { EXIT } from './cli.ts'
import { run } from './program.ts'
import { report } from './report.ts'

const cli: Cli = {
  env: process.env,
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
  stdin: () => process.stdin
}

// Whoever reads our output may stop reading (`moloch event list | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.fault)
})
for (const name of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(name, (error: unknown) => process.exit(report(cli, error)))
}

const code = await run(cli, process.argv.slice(2))
// What is still open has nothing left to do (a library's timer, a socket); what was printed is flushed first.
process.stdout.write('', () => process.exit(code))
