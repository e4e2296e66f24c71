import { closest } from 'fastest-levenshtein'
import { MolochError } from '../../error.ts'
import { readConfigFile } from './file.ts'
import type { Config } from './schema.ts'
import { SETTING_BY_KEY, SETTINGS, type Setting, type SettingValue } from './settings.ts'
import { type Checked, checkValue, parseValue } from './values.ts'

export type OriginKind = 'flag' | 'env' | 'file' | 'default'

/** Where a value came from: `{ kind: 'env', name: 'MOLOCH_API_PORT' }`. */
export interface Origin {
  readonly kind: OriginKind
  readonly name: string
}

export interface ConfigInput {
  readonly home: string
  /** Flags by key; several values only for lists. */
  readonly flags?: ReadonlyMap<string, readonly string[]>
  readonly env?: Readonly<Record<string, string | undefined>>
  /** config.toml; a missing file is an empty one. */
  readonly file?: string
}

export interface LoadedConfig {
  readonly config: Config
  readonly origins: ReadonlyMap<string, Origin>
}

/** Names in the environment that are not settings but ours all the same. */
const OTHER_ENV = ['MOLOCH_HOME', 'MOLOCH_URL', 'MOLOCH_SEED', 'MOLOCH_RUNS']

/**
 * The settings: flag, then environment, then file, then default. Every value is checked, also one that another
 * overrides: a wrong line in the file would otherwise bite on the day the flag is left out.
 * @throws MolochError BAD_CONFIG (BAD_OPTION for a flag), one line naming the key, the value and what would do
 */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const found = new Map<string, { value: SettingValue; origin: Origin }>()
  for (const setting of SETTINGS) {
    found.set(setting.key, { value: setting.initial, origin: { kind: 'default', name: 'default' } })
  }
  if (input.file !== undefined) {
    for (const [key, value] of readConfigFile(input.file)) {
      const setting = knownSetting(key, `in ${input.file}`)
      const origin: Origin = { kind: 'file', name: input.file }
      found.set(key, { value: accept(setting, checkValue(setting, value), value, origin), origin })
    }
  }
  for (const [name, text] of environment(input.env ?? {})) {
    const setting = SETTINGS.find((candidate) => candidate.env === name)
    if (setting === undefined) throw unknownEnvironment(name)
    const origin: Origin = { kind: 'env', name }
    found.set(setting.key, { value: accept(setting, parseValue(setting, text), text, origin), origin })
  }
  for (const [key, texts] of input.flags ?? []) {
    const setting = knownSetting(key, 'as a flag')
    const origin: Origin = { kind: 'flag', name: setting.flag }
    const text = setting.type.kind === 'list' ? texts.join(',') : (texts.at(-1) ?? '')
    found.set(key, { value: accept(setting, parseValue(setting, text), text, origin), origin })
  }
  const values = new Map([...found].map(([key, { value }]) => [key, value]))
  return { config: compose(input.home, values), origins: new Map([...found].map(([key, { origin }]) => [key, origin])) }
}

/** The defaults, with some values of one's own: `defaultConfig(home, { 'api.port': 0 })`. They are checked too. */
export function defaultConfig(home: string, overrides: Readonly<Record<string, SettingValue>> = {}): Config {
  const values = new Map(SETTINGS.map((setting) => [setting.key, setting.initial]))
  for (const [key, value] of Object.entries(overrides)) {
    const setting = knownSetting(key, 'in overrides')
    values.set(key, accept(setting, checkValue(setting, value), value, { kind: 'flag', name: setting.flag }))
  }
  return compose(home, values)
}

/**
 * One setting given as text, for a config.toml that is yet to be written.
 * @param name what the text was given as, for the error
 * @throws MolochError BAD_CONFIG | BAD_OPTION
 */
export function parseSetting(key: string, text: string, name: string): SettingValue {
  const setting = knownSetting(key, `in ${name}`)
  return accept(setting, parseValue(setting, text), text, { kind: 'flag', name: `${name} ${key}` })
}

/** One dotted key's value. */
export function settingValue(config: Config, key: string): SettingValue {
  let node: unknown = config
  for (const part of key.split('.')) node = (node as Record<string, unknown>)[part]
  return node as SettingValue
}

function accept(setting: Setting, checked: Checked, given: unknown, origin: Origin): SettingValue {
  if ('value' in checked) return checked.value
  const shown = setting.secret
    ? 'the value given'
    : JSON.stringify(given, (_, v) => (typeof v === 'bigint' ? `${v}` : v))
  const where = origin.kind === 'flag' ? origin.name : `${setting.key} (${origin.name})`
  throw new MolochError(
    origin.kind === 'flag' ? 'BAD_OPTION' : 'BAD_CONFIG',
    `${where}: ${shown} is not accepted; ${checked.accepted} is`,
    { key: setting.key }
  )
}

function knownSetting(key: string, where: string): Setting {
  const setting = SETTING_BY_KEY.get(key)
  if (setting !== undefined) return setting
  throw new MolochError('BAD_CONFIG', `unknown key "${key}" ${where}; the nearest known key is "${nearest(key)}"`, {
    key
  })
}

function nearest(key: string): string {
  return closest(key, [...SETTING_BY_KEY.keys()])
}

function unknownEnvironment(name: string): MolochError {
  const known = [...SETTINGS.map((setting) => setting.env), ...OTHER_ENV]
  return new MolochError(
    'BAD_CONFIG',
    `unknown setting ${name} in the environment; the nearest known one is ${closest(name, known)}`
  )
}

function* environment(env: Readonly<Record<string, string | undefined>>): Generator<[string, string]> {
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || !name.startsWith('MOLOCH_') || OTHER_ENV.includes(name)) continue
    if (isServiceLink(name, text)) continue
    // What Node makes of bytes that are none.
    if (text.includes('\ufffd'))
      throw new MolochError('BAD_CONFIG', `${name} in the environment is not UTF-8; UTF-8 is accepted`)
    yield [name, text]
  }
}

/** Kubernetes puts the addresses of a service named moloch-… into every pod: MOLOCH_API_PORT=tcp://10.0.0.1:8645. */
function isServiceLink(name: string, text: string): boolean {
  return (
    /_SERVICE_(HOST|PORT\w*)$|_PORT_\d+_(TCP|UDP)(_\w+)?$/.test(name) ||
    (name.endsWith('_PORT') && text.includes('://'))
  )
}

function compose(home: string, values: ReadonlyMap<string, SettingValue>): Config {
  const config: Record<string, unknown> = { home }
  for (const [key, value] of values) {
    const [section, name] = key.split('.') as [string, string | undefined]
    if (name === undefined) {
      config[section] = value
      continue
    }
    config[section] ??= {}
    const inside = config[section] as Record<string, unknown>
    inside[name] = value
  }
  // Every setting of the schema is in SETTINGS and was checked against it: this is the schema's own shape.
  return config as Config
}
