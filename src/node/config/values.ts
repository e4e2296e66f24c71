import { isIP } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { parseCheckpoint } from '../../chain/checkpoint.ts'
import type { Setting, SettingValue } from './settings.ts'

/** A value or, if it is refused, what would have been accepted. */
export type Checked = { readonly value: SettingValue } | { readonly accepted: string }

/** Reads a setting's value from text (a flag, the environment). Lists are separated by commas. */
export function parseValue(setting: Setting, text: string): Checked {
  switch (setting.type.kind) {
    case 'text':
    case 'choice':
      return checkValue(setting, text)
    case 'list':
      return checkValue(setting, splitList(text))
    case 'boolean':
      if (text === 'true' || text === '1') return { value: true }
      if (text === 'false' || text === '0') return { value: false }
      return { accepted: accepted(setting) }
    case 'integer':
      return /^(?!-0+$)-?\d{1,15}$/.test(text) ? checkValue(setting, Number(text)) : { accepted: accepted(setting) }
  }
}

/** Checks a value that has a type of its own (from TOML). */
export function checkValue(setting: Setting, value: unknown): Checked {
  const refused = { accepted: accepted(setting) }
  switch (setting.type.kind) {
    case 'text':
      return typeof value === 'string' && wellFormed(setting, value) ? { value } : refused
    case 'choice':
      return typeof value === 'string' && setting.type.values.includes(value) ? { value } : refused
    case 'boolean':
      return typeof value === 'boolean' ? { value } : refused
    case 'list':
      return isTextList(value) && value.every((item) => wellFormed(setting, item)) ? { value } : refused
    case 'integer': {
      const number = typeof value === 'bigint' ? Number(value) : value
      if (typeof number !== 'number' || !Number.isSafeInteger(number)) return refused
      const { min, max, orZero } = setting.type
      return (number >= min && number <= max) || (orZero && number === 0) ? { value: number } : refused
    }
  }
}

/** What a setting accepts, in words that end a sentence. */
export function accepted(setting: Setting): string {
  const { type } = setting
  switch (type.kind) {
    case 'choice':
      return type.values.length === 1 ? `only ${type.values[0]}` : `one of ${type.values.join(', ')}`
    case 'boolean':
      return 'true or false'
    case 'integer':
      return `${type.orZero ? '0, or ' : ''}a whole number from ${type.min} to ${type.max}`
    case 'list':
      return setting.check === 'multiaddr'
        ? `a list of multiaddrs such as /ip4/127.0.0.1/tcp/9645${setting.key === 'p2p.bootstrap' ? '/p2p/<peer id>' : ''}`
        : 'a list of texts'
    case 'text':
      if (setting.check === 'checkpoint') return 'HEIGHT:HASH, the hash as 64 hex digits, or nothing'
      return setting.check === 'host' ? 'an IP address or a host name' : 'text'
  }
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function wellFormed(setting: Setting, text: string): boolean {
  if (setting.check === 'host') return isIP(text) !== 0 || /^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$/.test(text)
  if (setting.check === 'checkpoint') return text === '' || isCheckpoint(text)
  if (setting.check === 'multiaddr') return isPeerAddress(text, setting.key === 'p2p.bootstrap')
  return true
}

function isCheckpoint(text: string): boolean {
  try {
    parseCheckpoint(text)
    return true
  } catch {
    return false
  }
}

/** Bootstrap peers are named by id: an address alone would be whoever answers there. */
function isPeerAddress(text: string, withPeerId: boolean): boolean {
  try {
    const names = multiaddr(text)
      .getComponents()
      .map((component) => component.name)
    return names.includes('tcp') && (!withPeerId || names.at(-1) === 'p2p')
  } catch {
    return false
  }
}
