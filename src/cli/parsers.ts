import { InvalidArgumentError } from 'commander'
import { ISO_ACCEPTED, isoTime } from '../chain/iso-time.ts'

/** Readers of option values; what they throw ends up in one line after the option's name. */

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`A whole number from ${min} to ${max} is accepted.`)
  }
}

export const heightOption = wholeNumber(0, Number.MAX_SAFE_INTEGER)

/** A public key or hash: 64 hex digits, given back in lowercase. */
export function hexKey(text: string): string {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return text.toLowerCase()
  throw new InvalidArgumentError('64 hex digits are accepted.')
}

/** `account:alice` or `account`; the id may hold colons. */
export function resourceName(text: string): { kind: string; id?: string } {
  const at = text.indexOf(':')
  const kind = at < 0 ? text : text.slice(0, at)
  if (kind === '' || at === text.length - 1) throw new InvalidArgumentError('KIND:ID is accepted.')
  return at < 0 ? { kind } : { kind, id: text.slice(at + 1) }
}

/** `name=value`. */
export function assignment(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('NAME=VALUE is accepted.')
  return [text.slice(0, at), text.slice(at + 1)]
}

/** ISO 8601 with its zone. @returns Unix ms */
export function timeOption(text: string): number {
  const time = isoTime(text)
  if (time !== undefined) return time
  throw new InvalidArgumentError(`From 1970 on, ${ISO_ACCEPTED} is accepted.`)
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** `90s`, `15m`, `24h`, `7d`. @returns seconds */
export function durationOption(text: string): number {
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const seconds = Number(number) * (UNIT_SECONDS[unit ?? ''] ?? Number.NaN)
  if (seconds >= 1) return seconds
  throw new InvalidArgumentError('A time such as 90s, 15m, 24h or 7d is accepted.')
}

/** `name=value`, several times, but each name once: of two values one would be passed over. */
export function collectAssignments(
  text: string,
  before: readonly (readonly [string, string])[] = []
): (readonly [string, string])[] {
  const [name, value] = assignment(text)
  if (before.some(([known]) => known === name))
    throw new InvalidArgumentError(`${name} is given twice; once is accepted.`)
  return [...before, [name, value]]
}

/** Of an option that is given twice commander takes the last: of an event something else would be signed than was given. */
export function once<Value>(parse: (text: string) => Value): (text: string, before: Value | undefined) => Value {
  return (text, before) => {
    if (before !== undefined) throw new InvalidArgumentError('It is given twice; once is accepted.')
    return parse(text)
  }
}
