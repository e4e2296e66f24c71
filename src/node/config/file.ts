import { readFileSync } from 'node:fs'
import { parse, stringify, TomlError } from 'smol-toml'
import { strictText } from '../../codec/strict-text.ts'
import { hasCode, MolochError, messageOf } from '../../error.ts'
import { SECTIONS, SETTINGS, type Setting, type SettingValue } from './settings.ts'

/**
 * The values of a config.toml by dotted key, unchecked. A missing file has none.
 * @throws MolochError BAD_CONFIG with file, line and column
 */
export function readConfigFile(path: string): Map<string, unknown> {
  let text: string
  try {
    text = strictText(readFileSync(path))
  } catch (error) {
    if (hasCode(error, 'BAD_TEXT')) throw new MolochError('BAD_CONFIG', `${path} ${error.message}`)
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw new MolochError('BAD_CONFIG', `cannot read ${path}: ${messageOf(error)}`)
  }
  return new Map(flatten('', parseToml(path, text)))
}

function parseToml(path: string, text: string): Record<string, unknown> {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [reason = ''] = error.message.split('\n')
    throw new MolochError('BAD_CONFIG', `${path}:${error.line}:${error.column}: ${reason.trim()}; TOML is accepted`)
  }
}

function* flatten(prefix: string, table: Record<string, unknown>): Generator<[string, unknown]> {
  for (const [name, value] of Object.entries(table)) {
    const inside = prefix === '' ? SECTIONS.has(name) : false
    if (inside && isTable(value)) yield* flatten(`${name}.`, value)
    else if (prefix === '' && isTable(value)) yield [unknownInside(name, value), undefined]
    else yield [prefix + name, value]
  }
}

/** A misspelt section is named with its first key, so that the nearest known key is one of the section meant. */
function unknownInside(section: string, table: Record<string, unknown>): string {
  const [first] = Object.keys(table)
  return first === undefined ? section : `${section}.${first}`
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

/** A config.toml that holds `values` and shows every other setting, commented out, with its default. */
export function renderConfigFile(values: ReadonlyMap<string, SettingValue>): string {
  const lines = ['# The settings of a Moloch node. A line that is commented out shows the default.', '']
  let section = ''
  for (const setting of SETTINGS) {
    const parts = setting.key.split('.')
    const name = parts.at(-1) ?? setting.key
    const heading = parts.length > 1 ? (parts[0] ?? '') : ''
    if (heading !== section) {
      section = heading
      lines.push('', `[${section}] # ${SECTIONS.get(section) ?? ''}`)
    }
    lines.push(`# ${setting.description}${range(setting)}`)
    const value = values.get(setting.key)
    lines.push(value === undefined ? `#${line(name, setting.initial)}` : line(name, value))
  }
  return `${lines.join('\n')}\n`
}

function line(name: string, value: SettingValue): string {
  return stringify({ [name]: value }).trimEnd()
}

function range({ type }: Setting): string {
  if (type.kind === 'integer') return ` (${type.orZero ? '0, ' : ''}${type.min} … ${type.max})`
  if (type.kind === 'choice') return ` (${type.values.join(' | ')})`
  return ''
}
