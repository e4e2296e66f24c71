import { type CheckedHeader, checkHeader } from '../chain/check-header.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import { genesisBlockHash, genesisHeader, type Header } from '../chain/header.ts'
import { HeaderChain, type TrustedTip } from '../chain/header-chain.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { hasCode, MolochError } from '../error.ts'
import { decodeProof, type LightSource } from './source.ts'
import type { Anchor } from './verify/anchor.ts'
import { type ProvenEvent, verifyEventProof } from './verify/event-proof.ts'
import { verifyHeaderProof } from './verify/header-proof.ts'
import type { HistoryKey } from './verify/history-key.ts'
import type { ProvenHistory } from './verify/history-proof.ts'
import type { ProofFailure } from './verify/result.ts'
import type { TrustedBlock } from './verify/verify-file.ts'
import { wholeHistory } from './whole-history.ts'

/** Headers of one request: what a peer serves at most. */
const HEADERS_PER_REQUEST = 1024

export interface LightClientOptions {
  readonly genesis: Genesis
  /** What is trusted at the start: block 0, which the genesis is, if there is none. */
  readonly checkpoint?: TrustedBlock | undefined
  readonly source: LightSource
}

/**
 * A client that trusts one header and checks everything else against it (protocol §12): later headers by their
 * certificates, earlier ones and events by proofs. It keeps its place in memory and no more; whatever `source` answers
 * is checked before it is believed. Every method may throw what the source throws.
 */
export class LightClient {
  readonly genesis: Genesis
  readonly #checkpoint: TrustedBlock
  readonly #source: LightSource
  #chain: HeaderChain | undefined
  /** One move of the tip at a time: the next one starts from where the last one ended. */
  #moves: Promise<unknown> = Promise.resolve()

  constructor({ genesis, checkpoint, source }: LightClientOptions) {
    this.genesis = genesis
    this.#checkpoint = checkpoint ?? { height: 0, hash: genesisBlockHash(genesis) }
    this.#source = source
  }

  /** The newest header that is trusted. @throws MolochError NOT_STARTED */
  get tip(): TrustedTip {
    return this.#started.tip
  }

  /**
   * Fetches the checkpoint's header and the range before it, and checks both against the checkpoint.
   * @throws MolochError CHECKPOINT_MISMATCH if the genesis or the source's header is another block; UNAVAILABLE; the
   * code of a fault of the header (`FailureCode`)
   */
  start(): Promise<TrustedTip> {
    return this.#exclusive(async () => {
      this.#chain ??= await this.#open()
      return this.#chain.tip
    })
  }

  /**
   * Moves the tip header by header, each certificate checked, up to `height` or as far as the source goes.
   * @throws MolochError with the code of the first header's fault; the ones before it are kept
   */
  follow(height = Number.MAX_SAFE_INTEGER): Promise<TrustedTip> {
    return this.#exclusive(async () => {
      const chain = this.#started
      while (chain.tip.height < height) {
        const count = Math.min(HEADERS_PER_REQUEST, height - chain.tip.height)
        const { headers } = await this.#source.getHeaders(chain.tip.height + 1, count)
        if (headers.length === 0) break
        this.#appendAll(headers.slice(0, count))
      }
      return chain.tip
    })
  }

  /**
   * Moves the tip over headers that came in some other way, for instance by gossip.
   * @param headers encoded TrustedHeaders, the first of which follows the tip
   * @throws MolochError with the code of the first header's fault; the ones before it are kept
   */
  append(headers: readonly Uint8Array[]): Promise<TrustedTip> {
    return this.#exclusive(async () => this.#appendAll(headers))
  }

  /**
   * Moves the tip to a certified header above it without those between, which come by `header` when they are wanted.
   * It ends where following would have.
   * @throws MolochError UNAVAILABLE, or the code of what is wrong: BAD_PARENT if the header does not commit to our tip
   */
  skipTo(height: number): Promise<TrustedTip> {
    return this.#exclusive(async () => {
      const chain = this.#started
      const { header, peaks } = await this.#fetch(height)
      const request = { header: { height: chain.tip.height, anchorHeight: height } }
      const { mmrPath } = decodeProof(await this.#source.getProof(request), 'header', this.genesis)
      refuse(chain.skip(header, peaks, mmrPath))
      return chain.tip
    })
  }

  /**
   * A header at or below the tip, with a proof that the tip commits to it.
   * @throws MolochError NOT_FOLLOWED above the tip; a ProofCode if what the source sent proves nothing
   */
  async header(height: number): Promise<{ readonly header: Header; readonly hash: Uint8Array }> {
    const { tip } = this
    if (height === tip.height) return tip
    if (height === 0) return { header: genesisHeader(this.genesis), hash: genesisBlockHash(this.genesis) }
    if (!(height < tip.height)) throw notFollowed(`header ${height}`, tip.height)
    const answer = await this.#source.getProof({ header: { height, anchorHeight: tip.height } })
    const proof = decodeProof(answer, 'header', this.genesis)
    const result = verifyHeaderProof(proof, tip, this.genesis, { height })
    if (!result.ok) throw proofError(result)
    return result
  }

  /**
   * The event with this id, proven to be in a block at or below the tip.
   * @throws MolochError UNKNOWN_EVENT as the source says, which proves nothing; NOT_FOLLOWED if it is in a block above
   * the tip; a ProofCode if what the source sent proves nothing
   */
  async proveEvent(eventId: Uint8Array): Promise<ProvenEvent> {
    const anchor: Anchor = this.tip
    const answer = await this.#eventProof(eventId, anchor.height)
    const proof = decodeProof(answer, 'event', this.genesis)
    // A block's own header does not commit to its block hash: an event of the tip itself comes anchored at its header.
    const own = proof.anchorHeight === 0 && proof.header !== undefined
    if (own && (proof.header?.height as number) > anchor.height) {
      throw notFollowed(`event ${toHex(eventId)}, in block ${proof.header?.height}`, anchor.height)
    }
    const result = verifyEventProof(proof, anchor, this.genesis, { eventId })
    if (!result.ok) throw proofError(result)
    return result
  }

  /**
   * Every event of the key in the blocks before a snapshot at or below the tip, or that there is none, proven.
   * @param anchorHeight of the snapshot; default: the newest that the source has
   * @throws MolochError ANCHOR_TOO_OLD, UNAVAILABLE as the source says; NOT_FOLLOWED if its anchor is above the tip; a
   * ProofCode if what the source sent proves nothing
   */
  proveHistory(key: HistoryKey, anchorHeight = 0): Promise<ProvenHistory> {
    const anchorAt = async (height: number): Promise<Anchor> => {
      if (height > this.tip.height) throw notFollowed(`the anchor, block ${height}`, this.tip.height)
      const { header, hash } = await this.header(height)
      return { height, hash, header }
    }
    return wholeHistory({ genesis: this.genesis, source: this.#source, anchorAt }, key, anchorHeight)
  }

  async #eventProof(eventId: Uint8Array, anchorHeight: number): Promise<Uint8Array> {
    const id = eventId as Uint8Array<ArrayBuffer>
    try {
      return await this.#source.getProof({ event: { eventId: id, anchorHeight } })
    } catch (error) {
      if (!hasCode(error, 'ANCHOR_TOO_OLD')) throw error
      return this.#source.getProof({ event: { eventId: id, anchorHeight: 0 } })
    }
  }

  get #started(): HeaderChain {
    if (this.#chain === undefined) throw new MolochError('NOT_STARTED', 'the light client has not been started')
    return this.#chain
  }

  async #open(): Promise<HeaderChain> {
    const { height, hash } = this.#checkpoint
    if (height === 0) {
      const chain = HeaderChain.atGenesis(this.genesis)
      if (!equalBytes(chain.tip.hash, hash)) throw mismatch(this.#checkpoint, chain.tip.hash)
      return chain
    }
    const { header, peaks } = await this.#fetch(height)
    if (!equalBytes(header.hash, hash)) throw mismatch(this.#checkpoint, header.hash)
    refuse(header.deferred)
    const chain = HeaderChain.at(this.genesis, header, peaks)
    if ('code' in chain) throw failureError(chain)
    return chain
  }

  /** The header of that height with its peaks; only its form is checked. */
  async #fetch(height: number): Promise<{ header: CheckedHeader; peaks: readonly Uint8Array[] }> {
    const { headers, peaks } = await this.#source.getHeaders(height, 1)
    const [bytes] = headers
    if (bytes === undefined) throw new MolochError('UNAVAILABLE', `the source has no header ${height}`)
    const header = this.#checked(bytes)
    if (header.height !== height) {
      throw new MolochError('BAD_HEIGHT', `header's height is ${header.height}; asked for was ${height}`)
    }
    return { header, peaks }
  }

  #appendAll(headers: readonly Uint8Array[]): TrustedTip {
    const chain = this.#started
    for (const bytes of headers) {
      const header = this.#checked(bytes)
      refuse(chain.check(header))
      chain.advance(header)
    }
    return chain.tip
  }

  #checked(bytes: Uint8Array): CheckedHeader {
    const result = checkHeader(this.genesis, bytes)
    if (!result.ok) throw failureError(result.failure)
    return result.header
  }

  #exclusive<Result>(move: () => Promise<Result>): Promise<Result> {
    const result = this.#moves.then(move)
    this.#moves = result.catch(() => {})
    return result
  }
}

function refuse(failure: Failure | undefined): void {
  if (failure !== undefined) throw failureError(failure)
}

function failureError({ code, message }: Failure): MolochError {
  return new MolochError(code, message)
}

function proofError({ code, step, message }: ProofFailure): MolochError {
  return new MolochError(code, message, { step })
}

function mismatch({ height, hash }: TrustedBlock, found: Uint8Array): MolochError {
  const message = `block ${height} is ${toHex(found)}; the checkpoint is ${toHex(hash)}`
  return new MolochError('CHECKPOINT_MISMATCH', message)
}

function notFollowed(what: string, tip: number): MolochError {
  return new MolochError('NOT_FOLLOWED', `${what}, is above the tip at ${tip}: follow the chain first`)
}
