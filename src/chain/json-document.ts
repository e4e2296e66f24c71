import { MolochError, messageOf } from '../error.ts'
import { duplicateKey, oddNumber } from './json-text.ts'

export type Json = Record<string, unknown>

/**
 * Reads a JSON document that is held to its form: every key known and there once, every value in range. Each fault is a
 * MolochError with the document's code, in one line that names the key, its value and what would do.
 */
export class JsonDocument {
  readonly #code: string
  readonly #name: string

  /** @param name what the document is called in messages */
  constructor(code: string, name: string) {
    this.#code = code
    this.#name = name
  }

  /** @param maxChars a longer text is not parsed */
  parse(text: string, maxChars: number): unknown {
    if (text.length > maxChars) {
      throw this.bad(`the text has ${text.length} characters; accepted: at most ${maxChars}`)
    }
    let parsed: unknown
    try {
      parsed = JSON.parse(text)
    } catch (cause) {
      throw this.bad(`not JSON: ${messageOf(cause)}`)
    }
    const repeated = duplicateKey(text)
    if (repeated !== undefined) throw this.bad(`key ${show(repeated)} is there twice; accepted: each key once`)
    // 1e3, 10.0 and what a double has no room for are other numbers to other readers.
    const odd = oddNumber(text)
    if (odd !== undefined) {
      const accepted = 'accepted: whole numbers, written in digits'
      throw this.bad(`${odd.key ?? 'a number'} is ${odd.number.slice(0, 100)}; ${accepted}`)
    }
    return parsed
  }

  object(value: unknown, path: string, keys: readonly string[]): Json {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.wrong(path, value, `an object with the keys ${keys.join(', ')}`)
    }
    for (const key of Object.keys(value)) {
      if (!keys.includes(key)) throw this.bad(`unknown key ${show(key)} in ${path}; accepted: ${keys.join(', ')}`)
    }
    return value as Json
  }

  integer(value: unknown, path: string, min: number, max: number): number {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw this.wrong(path, value, `an integer in ${min} … ${max}`)
    }
    return value
  }

  wrong(path: string, value: unknown, accepted: string): MolochError {
    return this.bad(
      value === undefined
        ? `${path} is missing; accepted: ${accepted}`
        : `${path} is ${show(value)}; accepted: ${accepted}`
    )
  }

  bad(message: string): MolochError {
    return new MolochError(this.#code, `${this.#name}: ${message}`)
  }
}

/** A value in one short line. */
function show(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
