import type { Command } from 'commander'
import { type LoadedConfig, loadConfig, settingValue } from '../../node/config/load.ts'
import { SETTINGS, type Setting } from '../../node/config/settings.ts'
import { homePaths, resolveHome } from '../../node/home.ts'
import { type Cli, printJson } from '../cli.ts'
import { HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'
import { table } from '../table.ts'

interface ShowOptions {
  readonly home?: string
  readonly origin?: boolean
  readonly json?: boolean
}

export function configShowCommand(cli: Cli): Command {
  return newCommand(cli, 'show', {
    summary: 'show the settings a node of this home would start with; secrets are not shown',
    example: 'moloch config show --origin'
  })
    .option('--origin', 'say where each value came from')
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action((options: ShowOptions) => {
      const home = resolveHome(options.home, cli.env)
      const loaded = loadConfig({ home, env: cli.env, file: homePaths(home).config })
      if (options.json) printJson(cli, asJson(loaded, options.origin === true))
      else cli.out(asTable(loaded, options.origin === true))
    })
}

function shown(loaded: LoadedConfig, setting: Setting): unknown {
  const value = settingValue(loaded.config, setting.key)
  return setting.secret && value !== '' ? '(set)' : value
}

function asJson(loaded: LoadedConfig, origin: boolean): Record<string, unknown> {
  const entries = SETTINGS.map((setting) => {
    const value = shown(loaded, setting)
    return [setting.key, origin ? { value, origin: loaded.origins.get(setting.key) } : value]
  })
  return Object.fromEntries(entries) as Record<string, unknown>
}

function asTable(loaded: LoadedConfig, origin: boolean): string {
  const rows = SETTINGS.map((setting) => {
    const from = loaded.origins.get(setting.key)
    const row = [setting.key, JSON.stringify(shown(loaded, setting)), setting.env]
    return origin
      ? [...row, from === undefined || from.kind === 'default' ? 'default' : `${from.kind} ${from.name}`]
      : row
  })
  return table(['KEY', 'VALUE', 'ENVIRONMENT', ...(origin ? ['ORIGIN'] : [])], rows)
}
