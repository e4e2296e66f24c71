import type { CheckedHeader, HeaderCheck } from '../../chain/check-header.ts'
import { equalBytes, toHex } from '../../codec/bytes.ts'
import { MolochError, messageOf } from '../../error.ts'
import type { HeightRange, Uncertified } from '../../ledger/history.ts'
import { OWN_FAULT } from '../downloads.ts'
import type { PeerFailure, RequestEnd } from '../events.ts'
import { Answer } from './answer.ts'
import type { BackfillPorts } from './types.ts'

/** Of one round: a job of 32 headers of 16 validators takes a thread 20 ms, and consensus may wait for that. */
const HEADERS_A_ROUND = 64
const HEADERS_A_JOB = 32

export interface CertifyingParts {
  readonly ports: Pick<BackfillPorts, 'history' | 'checker' | 'headers' | 'log'>
  /** Who sent the block; undefined: nobody knows any more. */
  readonly senderOf: (height: number) => string | undefined
  /** Who may be asked for the certificate of a block, in the order in which to ask. */
  readonly holders: (height: number) => string[]
  readonly blame: (peer: string, failure: PeerFailure) => void
  /** An answer ended so, before that of block `height`; it is not told of one that was blamed. */
  readonly answered: (peer: string, end: RequestEnd, height: number) => void
}

export type Round =
  /** The earliest height is lower now, or a bad certificate was replaced. */
  | 'moved'
  /** Nothing is held right below the earliest height. */
  | 'nothing'
  /** Nobody gave a certificate that verifies. */
  | 'stuck'

/**
 * Verifies seals and commits of what is held, from the top down; they are not under the block's hash, so a bad one says
 * nothing against the block: it is fetched again, with its header alone, and whoever sent it is blamed.
 */
export class Certifying {
  readonly #parts: CertifyingParts
  #said: string | undefined

  constructor(parts: CertifyingParts) {
    this.#parts = parts
  }

  /** @throws what the checker or the ledger throws */
  async round(signal: AbortSignal): Promise<Round> {
    const { history } = this.#parts.ports
    const held = await history.readUncertified(HEADERS_A_ROUND)
    const lowest = held[0]
    if (lowest === undefined) return 'nothing'
    const faults = await this.#check(held)
    const bad = faults.findLastIndex((fault) => fault !== undefined)
    const certified = bad < 0 ? lowest.height : (held[bad] as Uncertified).height + 1
    if (certified <= (held.at(-1) as Uncertified).height) await history.certified(certified)
    if (bad < 0) return 'moved'
    const first = faults.findLastIndex((fault, at) => at < bad && fault === undefined) + 1
    for (let at = first; at <= bad; at++) {
      const { height } = held[at] as Uncertified
      const sender = this.#parts.senderOf(height)
      if (sender !== undefined) this.#parts.blame(sender, { ...(faults[at] as PeerFailure), height })
    }
    const range = { from: (held[first] as Uncertified).height, to: (held[bad] as Uncertified).height }
    const replaced = await this.#replace(range, held.slice(first, bad + 1), signal)
    return replaced > 0 ? 'moved' : 'stuck'
  }

  async #check(held: readonly Uncertified[]): Promise<(Omit<PeerFailure, 'height'> | undefined)[]> {
    const jobs: Promise<HeaderCheck[]>[] = []
    for (let at = 0; at < held.length; at += HEADERS_A_JOB) {
      jobs.push(this.#checkHeaders(held.slice(at, at + HEADERS_A_JOB).map(({ header }) => header)))
    }
    const results = (await Promise.all(jobs)).flat()
    return results.map((result) => (result.ok ? result.header.deferred : result.failure))
  }

  /** Asks one holder after the other until one has given something. @returns how many certificates were replaced */
  async #replace(range: HeightRange, held: readonly Uncertified[], signal: AbortSignal): Promise<number> {
    for (const peer of this.#parts.holders(range.from)) {
      if (signal.aborted) return 0
      const replaced = await this.#replaceFrom(peer, range, held, signal)
      if (replaced > 0) return replaced
    }
    return 0
  }

  /** @throws what the checker or the ledger throws */
  async #replaceFrom(
    peer: string,
    range: HeightRange,
    held: readonly Uncertified[],
    signal: AbortSignal
  ): Promise<number> {
    const { ports, blame, answered } = this.#parts
    const answer = new Answer(ports.headers, peer, range, signal)
    let replaced = 0
    for await (const frames of answer) {
      for (const result of await this.#checkAnswer(peer, frames, range.from + replaced)) {
        const wanted = held[replaced]
        const failure = wanted === undefined ? surplus(held.length) : certificateFailure(result, wanted)
        if (failure !== undefined) {
          blame(peer, { ...failure, height: range.from + replaced })
          return replaced
        }
        const { header } = result as { header: CheckedHeader }
        if (!equalBytes(header.hash, (wanted as Uncertified).hash)) {
          this.#isRival(peer, header)
          return replaced
        }
        await ports.history.replaceCertificate(header)
        replaced++
      }
    }
    if (!signal.aborted) answered(peer, answer.end ?? { kind: 'complete' }, range.from + replaced)
    return replaced
  }

  /** What our checker fails at may be this answer: who gave it rests, blamed for nothing, and others are asked. */
  async #checkAnswer(peer: string, frames: readonly Uint8Array[], height: number): Promise<HeaderCheck[]> {
    try {
      return await this.#checkHeaders(frames)
    } catch (error) {
      this.#parts.answered(peer, OWN_FAULT, height)
      throw error
    }
  }

  /** @throws MolochError with a code that begins with VERIFY_, whatever the checker throws */
  async #checkHeaders(frames: readonly Uint8Array[]): Promise<HeaderCheck[]> {
    try {
      return await this.#parts.ports.checker.checkHeaders(frames)
    } catch (error) {
      if (error instanceof MolochError && error.code.startsWith('VERIFY_')) throw error
      throw new MolochError('VERIFY_FAILED', messageOf(error), {}, { cause: error })
    }
  }

  /** Certified, and not the block that the checkpoint proves: validators are at fault, not the peer that shows it. */
  #isRival(peer: string, { height, hash }: CheckedHeader): void {
    const message = `another block is certified at height ${height} than the checkpoint proves: ${toHex(hash)}`
    // Its holders are asked again and again.
    if (message !== this.#said) this.#parts.ports.log.error({ peer, height }, message)
    this.#said = message
    this.#parts.answered(peer, { kind: 'unavailable', code: 'CONFLICTING_FINALITY' }, height)
  }
}

/** The network bounds it too. */
function surplus(count: number): Omit<PeerFailure, 'height'> {
  return { code: 'TOO_MUCH', message: `more than the ${count} headers asked for` }
}

/** Why the header certifies no block of that height. */
function certificateFailure(result: HeaderCheck, { height }: Uncertified): Omit<PeerFailure, 'height'> | undefined {
  if (!result.ok) return result.failure
  const { header } = result
  if (header.height !== height) {
    return { code: 'BAD_HEIGHT', message: `a header of height ${header.height} where ${height} was asked for` }
  }
  return header.deferred
}
