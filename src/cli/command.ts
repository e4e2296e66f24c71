import { Command } from 'commander'
import type { Cli } from './cli.ts'

export interface CommandText {
  readonly summary: string
  /** A command line as one would type it. */
  readonly example: string
}

/** A command with the manners of all: throws instead of exiting, one-line errors, an example in its help. */
export function newCommand(cli: Cli, name: string, text: CommandText): Command {
  return new Command(name)
    .description(text.summary)
    .exitOverride()
    .showSuggestionAfterError(true)
    .helpOption('-h, --help', 'show this help')
    .configureOutput({
      writeOut: (part) => cli.out(part.trimEnd()),
      writeErr: (part) => cli.err(part.trimEnd()),
      getOutHelpWidth: () => process.stdout.columns ?? 100,
      getErrHelpWidth: () => process.stderr.columns ?? 100,
      // The error is thrown, and reported once, where the exit code is decided.
      outputError: () => {}
    })
    .addHelpText('after', `\nExample:\n  $ ${text.example}`)
}

/** A command that only holds others; without one of them it shows its help. */
export function newGroup(cli: Cli, name: string, summary: string, commands: readonly Command[]): Command {
  const example = `moloch ${name} ${commands[0]?.name() ?? ''} --help`
  const group = newCommand(cli, name, { summary, example }).helpCommand(false)
  for (const command of commands) group.addCommand(command)
  return group
}

export const HOME_OPTION = ['--home <dir>', 'home directory (default: MOLOCH_HOME or ~/.moloch)'] as const
export const URL_OPTION = [
  '--url <url>',
  "the node's API (default: MOLOCH_URL or what the home's config says)"
] as const
export const JSON_OPTION = ['--json', 'print JSON'] as const

/** Adds to a list: for options that may be given several times. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}
