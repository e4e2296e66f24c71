/** The options of `moloch devnet`, checked: what they accept is said in the one line that refuses. */
import { InvalidArgumentError } from 'commander'

export interface RunOptions {
  readonly validators: number
  readonly nodes: number
  readonly light: number
  readonly dir: string
  readonly seed: number
  readonly events?: string
  readonly git?: string
  /** Events a second. */
  readonly rate: number
  readonly untilHeight?: number
  /** Milliseconds. */
  readonly for?: number
  readonly keep: boolean
  /** Folder of the gossip traces; true: one within `dir`. */
  readonly trace?: string | true
  readonly json: boolean
}

/** Each node is a process with some 100 MB: more of them do not fit a machine that people have. */
const MAX_NODES = 64
const MAX_RATE = 100_000
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`A whole number from ${min} to ${max} is accepted.`)
  }
}

export const validatorCount = wholeNumber(1, MAX_NODES)
export const nodeCount = wholeNumber(0, MAX_NODES)
export const seedNumber = wholeNumber(0, 0xffff_ffff)
export const eventRate = wholeNumber(0, MAX_RATE)
export const heightNumber = wholeNumber(1, 1_000_000_000)

/** `60s`, `5m`, `1500ms`: milliseconds. */
export function duration(text: string): number {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? []
  const value = Number(digits) * (UNITS[unit ?? ''] ?? Number.NaN)
  if (value > 0) return value
  throw new InvalidArgumentError('A time such as 60s, 5m or 1500ms is accepted.')
}
