import type { Genesis } from '../chain/genesis.ts'
import { toHex } from '../codec/bytes.ts'
import type { Header } from '../codec/generated/chain.ts'
import type { GetProof, Proof } from '../codec/generated/sync.ts'
import { hasCode, MolochError } from '../error.ts'
import type { ProofRequests } from '../network/types.ts'
import { type AskPeersPorts, askPeers } from './ask-peers.ts'
import type { Needed } from './holders.ts'
import { type HistoryCheck, proveHistory } from './prove-history.ts'
import type { Anchor } from './verify/anchor.ts'
import { verifyConsistencyProof } from './verify/consistency-proof.ts'
import { verifyEventProof } from './verify/event-proof.ts'
import { verifyHeaderProof } from './verify/header-proof.ts'
import type { ProofFailure } from './verify/result.ts'

export interface PeerProverPorts extends AskPeersPorts {
  readonly genesis: Genesis
  readonly getProof: ProofRequests['getProof']
  /** The height of the newest trusted header. */
  tipHeight(): number
  /**
   * A header that this node trusts; undefined if it is none of the chain's that it has followed. It may ask peers for it,
   * until the signal.
   */
  headerAt(
    height: number,
    signal?: AbortSignal
  ): Promise<{ readonly header: Header; readonly hash: Uint8Array } | undefined>
}

/** Proofs from whatever peer has them, each checked against a trusted header before anybody sees it. */
export class PeerProver {
  readonly #ports: PeerProverPorts

  constructor(ports: PeerProverPorts) {
    this.#ports = ports
  }

  /**
   * @returns the field that was asked for, which holds
   * @throws MolochError UNKNOWN_EVENT (as the peers say: that proves nothing), ANCHOR_TOO_OLD, UNAVAILABLE, RATE_LIMITED,
   * BAD_REQUEST, or NO_ANSWER
   */
  prove(request: GetProof, signal?: AbortSignal): Promise<Proof> {
    if (request.event !== undefined) return this.#event(request.event, request, signal)
    if (request.header !== undefined) return this.#header(request.header, request, signal)
    if (request.consistency !== undefined) return this.#consistency(request.consistency, request, signal)
    if (request.history !== undefined) return this.#history(request.history, signal)
    throw new MolochError('BAD_REQUEST', 'nothing is asked for; event, header, consistency or history is accepted')
  }

  async #event(
    { eventId, anchorHeight }: NonNullable<GetProof['event']>,
    request: GetProof,
    signal: AbortSignal | undefined
  ): Promise<Proof> {
    const { genesis } = this.#ports
    const given = anchorHeight === 0 ? undefined : await this.#trusted(anchorHeight, signal)
    return this.#ask(
      `event ${toHex(eventId)}`,
      { from: undefined, to: anchorHeight },
      request,
      signal,
      async ({ event }) => {
        if (event === undefined) return wrongKind('event')
        const own = event.header?.height ?? 0
        // Above the tip it may be true, and there is nothing yet to check it against.
        if (given === undefined && own > this.#ports.tipHeight()) throw notFollowed(own, this.#ports.tipHeight())
        const anchor = given ?? (await this.#trusted(own, signal))
        return verifyEventProof(event, anchor, genesis, { eventId })
      }
    )
  }

  async #header(
    { height, anchorHeight }: NonNullable<GetProof['header']>,
    request: GetProof,
    signal: AbortSignal | undefined
  ): Promise<Proof> {
    const anchor = await this.#trusted(anchorHeight === 0 ? height : anchorHeight, signal)
    return this.#ask(`header ${height}`, { from: height, to: anchor.height }, request, signal, async ({ header }) => {
      if (header === undefined) return wrongKind('header')
      return verifyHeaderProof(header, anchor, this.#ports.genesis, { height })
    })
  }

  async #consistency(
    range: NonNullable<GetProof['consistency']>,
    request: GetProof,
    signal: AbortSignal | undefined
  ): Promise<Proof> {
    if (range.from < 1 || range.from > range.to) {
      const asked = `no proof from header ${range.from} to header ${range.to}`
      throw new MolochError('BAD_REQUEST', `${asked}; 1 ≤ from ≤ to is accepted`)
    }
    const [from, to] = await Promise.all([this.#trusted(range.from, signal), this.#trusted(range.to, signal)])
    // Of hashes alone, which everybody has from block 0 on.
    const needed = { from: 0, to: to.height }
    return this.#ask(`headers ${from.height} to ${to.height}`, needed, request, signal, async ({ consistency }) => {
      if (consistency === undefined) return wrongKind('consistency')
      return verifyConsistencyProof(consistency, from, to, this.#ports.genesis)
    })
  }

  #history(request: NonNullable<GetProof['history']>, signal: AbortSignal | undefined): Promise<Proof> {
    const { genesis, tipHeight } = this.#ports
    const ask = (what: string, history: typeof request, check: HistoryCheck) =>
      this.#ask(what, { from: 1, to: history.anchorHeight }, { history }, signal, async ({ history: answer }) =>
        answer === undefined ? wrongKind('history') : check(answer)
      )
    return proveHistory({ genesis, tipHeight, trusted: (height) => this.#trusted(height, signal), ask }, request)
  }

  #ask(
    what: string,
    needed: Needed,
    request: GetProof,
    outer: AbortSignal | undefined,
    verify: (proof: Proof) => Promise<{ readonly ok: true } | Pick<ProofFailure, 'ok' | 'code' | 'message'>>
  ): Promise<Proof> {
    const ask = (peer: string, signal: AbortSignal) => this.#ports.getProof(peer, request, { signal })
    const check = async (proof: Proof): Promise<void> => {
      const result = await verify(proof)
      if (!result.ok) throw new MolochError(result.code, result.message)
    }
    return askPeers(this.#ports, what, needed, ask, outer, check)
  }

  async #trusted(height: number, signal: AbortSignal | undefined): Promise<Anchor> {
    const tip = this.#ports.tipHeight()
    const found = height > tip ? undefined : await this.#ports.headerAt(height, signal).catch(unproven)
    if (found !== undefined) return { height, ...found }
    const why =
      height > tip ? `this node has followed the chain to ${tip}` : 'it is not kept here, and no peer proves it'
    throw new MolochError('UNAVAILABLE', `no trusted header ${height} to check against: ${why}`)
  }
}

/** That peers gave no header that holds is not the fault of the one whose proof is to be checked against it. */
function unproven(error: unknown): undefined {
  if (!hasCode(error, 'NO_ANSWER')) throw error
  return undefined
}

function notFollowed(height: number, tip: number): MolochError {
  return new MolochError('UNAVAILABLE', `it is in block ${height}; this node has followed the chain to ${tip}`)
}

function wrongKind(kind: string): Pick<ProofFailure, 'ok' | 'code' | 'message'> {
  return { ok: false, code: 'PROOF_WRONG_KIND', message: `the answer holds no ${kind} proof` }
}
