import type { Shape } from '../../codec/field-count.ts'
import { RawBlocks, type Refusal, RefusalCode } from '../../codec/generated/sync.ts'
import { MolochError, messageOf } from '../../error.ts'
import { type NetworkError, networkError } from '../errors.ts'

/** Codes that a server answers with. */
export type RefusalName = Exclude<`${RefusalCode}`, 'REFUSAL_UNSPECIFIED'>

/** Every answer may have one in field 15. */
export const REFUSABLE: Shape = { 15: { 1: 'u32', 2: 'bytes', 3: 'u32' } }

/** A peer's words in our logs: short, and on one line. */
const MAX_WORDS = 200

/** What a peer says, fit for a log line. */
export function words(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is taken out
  return text.slice(0, MAX_WORDS).replace(/[\u0000-\u001f\u007f]/g, ' ')
}

export function refusal(code: RefusalName, message: string, retryAfterMs = 0): Refusal {
  return { code: RefusalCode[code], message, retryAfterMs: Math.ceil(retryAfterMs) }
}

/** The frame that refuses in any protocol: every answer has its `refusal` in field 15. */
export function refusalFrame(given: Refusal): Uint8Array {
  return RawBlocks.encode({ blocks: [], refusal: given })
}

/** What a handler throws, as a refusal; undefined for our own trouble, which is no business of the peer's. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof MolochError)) return undefined
  if (error.code === 'BAD_FRAME') return refusal('BAD_REQUEST', messageOf(error))
  if (!isName(error.code)) return undefined
  const after = error.details.retryAfterMs
  return refusal(error.code, messageOf(error), typeof after === 'number' ? after : 0)
}

const NAMES: ReadonlySet<string> = new Set(Object.values(RefusalCode).filter((value) => typeof value === 'string'))

function isName(code: string): code is RefusalName {
  return NAMES.has(code) && code !== RefusalCode.REFUSAL_UNSPECIFIED
}

/** @throws MolochError with the refusal's code, if there is one */
export function throwIfRefused(given: Refusal | undefined, what: string, peer: string): void {
  if (given !== undefined) throw refusalError(given, what, peer)
}

function refusalError(given: Refusal, what: string, peer: string): NetworkError {
  const code: RefusalName = isName(given.code) ? given.code : 'UNAVAILABLE'
  const said = given.message === '' ? '' : `: ${words(given.message)}`
  return networkError(code, `${what} refused by the peer (${code}${said})`, {
    peer,
    ...(given.retryAfterMs > 0 ? { retryAfterMs: given.retryAfterMs } : {})
  })
}
