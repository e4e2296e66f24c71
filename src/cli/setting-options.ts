import { type Command, Option } from 'commander'
import { SECTIONS, SETTINGS, type Setting } from '../node/config/settings.ts'
import { collect } from './command.ts'

/** Shorter names of settings that are given by hand most. */
const SHORT: Readonly<Record<string, string>> = {
  'p2p.listen': '--listen',
  'p2p.bootstrap': '--bootstrap',
  'sync.verify_events': '--verify-events'
}

/** Adds a flag for each setting; `given` of the result are those on the command line, by key. */
export function addSettingOptions(command: Command): { given: () => Map<string, readonly string[]> } {
  const options = SETTINGS.map((setting) => ({ setting, option: optionOf(setting) }))
  for (const { option } of options) command.addOption(option)
  return {
    given: () => {
      const values = command.opts<Record<string, string | true | readonly string[] | undefined>>()
      const flags = new Map<string, readonly string[]>()
      for (const { setting, option } of options) {
        const value = values[option.attributeName()]
        // A bare --p2p-mdns is `true`.
        if (value !== undefined) flags.set(setting.key, Array.isArray(value) ? value : [String(value)])
      }
      return flags
    }
  }
}

function optionOf(setting: Setting): Option {
  const short = SHORT[setting.key]
  const argument = setting.type.kind === 'boolean' ? '[true|false]' : `<${placeholder(setting)}>`
  const option = new Option(`${short === undefined ? '' : `${short}, `}${setting.flag} ${argument}`, describe(setting))
  if (setting.type.kind === 'list') option.argParser(collect)
  const [section = ''] = setting.key.split('.')
  return option.helpGroup(`Settings, ${SECTIONS.get(section) ?? 'general'}:`)
}

function placeholder({ type, check }: Setting): string {
  if (type.kind === 'choice') return type.values.join('|')
  if (type.kind === 'integer') return 'n'
  return check ?? 'text'
}

function describe({ description, initial }: Setting): string {
  const shown = Array.isArray(initial) ? initial.join(',') : String(initial)
  return shown === '' ? description : `${description} (default: ${shown})`
}
