import { CommanderError } from 'commander'
import { MolochError } from '../error.ts'
import { type Cli, EXIT } from './cli.ts'

/** Codes of faults in the command line itself. */
const USAGE_CODES = new Set(['USAGE', 'BAD_OPTION'])

/** Says what went wrong, in one line unless it is a bug, and gives the exit code. */
export function report(cli: Cli, error: unknown): number {
  if (error instanceof CommanderError) return reportUsage(cli, error)
  if (error instanceof MolochError) {
    cli.err(`moloch: ${oneLine(error.message)}`)
    return USAGE_CODES.has(error.code) ? EXIT.usage : EXIT.fault
  }
  if (isSystemError(error)) {
    cli.err(`moloch: ${oneLine(error.message)}`)
    return EXIT.fault
  }
  cli.err(`moloch: this is a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  return EXIT.bug
}

function reportUsage(cli: Cli, error: CommanderError): number {
  // Help that was asked for has been printed.
  if (error.exitCode === 0) return EXIT.ok
  if (error.code === 'commander.help') return EXIT.usage
  cli.err(`moloch: ${oneLine(error.message.replace(/^error: /, ''))}`)
  return EXIT.usage
}

/** Files that cannot be read, disks that are full: nothing that a stack would explain. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string'
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ').trim()
}
