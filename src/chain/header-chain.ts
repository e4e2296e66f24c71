import { equalBytes, toHex } from '../codec/bytes.ts'
import { type CheckedHeader, rootFailure } from './check-header.ts'
import { type Failure, failure, firstFailure } from './failures.ts'
import type { Genesis } from './genesis.ts'
import { genesisBlockHash, genesisHeader, type Header } from './header.ts'
import { leafHash } from './merkle.ts'
import { peaksInPath, verifyInclusion } from './merkle-proof.ts'
import { bagPeaks, Mmr } from './mmr.ts'

/** A header that is trusted, and the root over all block hashes up to and with its own. */
export interface TrustedTip {
  readonly height: number
  readonly hash: Uint8Array
  readonly header: Header
  /** What the next header must carry. */
  readonly mmrRoot: Uint8Array
}

/**
 * What a light client trusts (protocol §12): one header, and the mountain range over the block hashes up to it, moved on
 * header by header or by skips. In memory; who keeps headers on disk writes what this says. Its own range makes every
 * root: one that a peer sends is only compared.
 */
export class HeaderChain {
  readonly genesis: Genesis
  #mmr: Mmr
  #tip: TrustedTip
  /** What the last `check` made, for the `advance` that follows it: making a root is most of a header's cost here. */
  #after: RangeAfter | undefined

  private constructor(genesis: Genesis, hash: Uint8Array, header: Header, mmr: Mmr) {
    this.genesis = genesis
    this.#mmr = mmr
    this.#tip = { height: header.height, hash, header, mmrRoot: mmr.root() }
  }

  /** Trusts block 0 alone. */
  static atGenesis(genesis: Genesis): HeaderChain {
    const hash = genesisBlockHash(genesis)
    const mmr = new Mmr()
    mmr.append(leafHash(hash))
    return new HeaderChain(genesis, hash, genesisHeader(genesis), mmr)
  }

  /**
   * Trusts `header`, whose hash is somebody's checkpoint or was trusted before.
   * @param peaks of the range over the blocks before it, from anybody
   * @returns BAD_MMR_ROOT if they are not the ones that the header commits to
   */
  static at(
    genesis: Genesis,
    { hash, header }: Pick<CheckedHeader, 'hash' | 'header'>,
    peaks: readonly Uint8Array[]
  ): HeaderChain | Failure {
    const mmr = rangeBefore(header, peaks)
    if (mmr === undefined) return badPeaks(header)
    mmr.append(leafHash(hash))
    return new HeaderChain(genesis, hash.slice(), copyOf(header), mmr)
  }

  get tip(): TrustedTip {
    return this.#tip
  }

  /** Of the range over blocks 0 … tip, largest first. */
  get peaks(): Uint8Array[] {
    return this.#mmr.peaks
  }

  /** The first fault of a header as the next one, in the order of §7: of its links, or of those that `checkHeader` found. */
  check(next: CheckedHeader): Failure | undefined {
    return firstFailure(this.#linkFailure(next), next.deferred)
  }

  /** Makes a header that `check` found no fault in the tip. */
  advance({ height, hash, header }: CheckedHeader): void {
    const { mmr, root } = this.#after?.hash === hash ? this.#after : this.#rangeAfter(hash)
    this.#after = undefined
    this.#mmr = mmr
    this.#tip = { height, hash: hash.slice(), header: copyOf(header), mmrRoot: root }
  }

  /**
   * Makes a certified header far above the tip without those between: under its mmr_root the path proves the tip's hash.
   * A certified header for which there is no such path is of another chain: finality is broken.
   * @param peaks of the range over the blocks before it
   * @returns what is wrong with it; then nothing has changed
   */
  skip(to: CheckedHeader, peaks: readonly Uint8Array[], path: readonly Uint8Array[]): Failure | undefined {
    if (to.deferred !== undefined) return to.deferred
    if (to.height <= this.#tip.height) {
      return failure('BAD_HEIGHT', `header's height is ${to.height}; accepted: above ${this.#tip.height}`)
    }
    const mmr = rangeBefore(to.header, peaks)
    if (mmr === undefined) return badPeaks(to.header)
    const { height, hash } = this.#tip
    const claim = { leafHash: leafHash(hash), index: height, size: to.height, path, root: to.header.mmrRoot }
    if (!verifyInclusion(claim)) {
      return failure('BAD_PARENT', `block ${height} ${toHex(hash)} is not proven under header ${to.height}`)
    }
    mmr.append(leafHash(to.hash))
    const root = mmr.root()
    const wrongRoot = rootFailure(to, root)
    if (wrongRoot !== undefined) return wrongRoot
    this.#after = undefined
    this.#mmr = mmr
    this.#tip = { height: to.height, hash: to.hash.slice(), header: copyOf(to.header), mmrRoot: root }
    return undefined
  }

  #linkFailure(next: CheckedHeader): Failure | undefined {
    const { header } = next
    const { height, hash, header: parent, mmrRoot } = this.#tip
    const at = height + 1
    if (header.height !== at) return failure('BAD_HEIGHT', `header's height is ${header.height}; accepted: ${at}`)
    if (!equalBytes(header.parentHash, hash)) return differs('BAD_PARENT', 'parent_hash', header.parentHash, hash, at)
    if (!equalBytes(header.mmrRoot, mmrRoot)) return differs('BAD_MMR_ROOT', 'mmr_root', header.mmrRoot, mmrRoot, at)
    // At a multiple of the interval it is over the events, which are not here: the validators answer for it.
    const repeats = at % this.genesis.params.snapshotInterval !== 0
    if (repeats && !equalBytes(header.stateRoot, parent.stateRoot)) {
      return differs('BAD_STATE_ROOT', 'state_root', header.stateRoot, parent.stateRoot, at)
    }
    if (header.timestamp <= parent.timestamp) {
      return failure('BAD_TIMESTAMP', `header's timestamp is ${header.timestamp}; accepted: above ${parent.timestamp}`)
    }
    return rootFailure(next, this.#rangeAfter(next.hash).root)
  }

  #rangeAfter(hash: Uint8Array): RangeAfter {
    const mmr = this.#mmr.clone()
    mmr.append(leafHash(hash))
    const after = { hash, mmr, root: mmr.root() }
    this.#after = after
    return after
  }
}

/**
 * A chain that begins at `header`, all of which was checked: its certificate, and with these peaks also the root after
 * it that its sender named.
 * @param peaks of the range over the blocks before it
 */
export function headerChainAt(
  genesis: Genesis,
  header: CheckedHeader,
  peaks: readonly Uint8Array[]
): HeaderChain | Failure {
  if (header.deferred !== undefined) return header.deferred
  const chain = HeaderChain.at(genesis, header, peaks)
  if ('code' in chain) return chain
  return rootFailure(header, chain.tip.mmrRoot) ?? chain
}

/**
 * Whether a certified header is the one at its height in the chain of `anchor`, a trusted header above it, and all of
 * what its sender named is right: the path also gives the range before it.
 * @param path of its block hash under the anchor's mmr_root
 */
export function underAnchor(
  genesis: Genesis,
  header: CheckedHeader,
  anchor: Pick<Header, 'height' | 'mmrRoot'>,
  path: readonly Uint8Array[]
): Failure | undefined {
  const { height, hash } = header
  const claim = { leafHash: leafHash(hash), index: height, size: anchor.height, path, root: anchor.mmrRoot }
  if (!verifyInclusion(claim)) {
    return failure('BAD_MMR_ROOT', `block ${height} ${toHex(hash)} is not proven under header ${anchor.height}`)
  }
  const chain = headerChainAt(genesis, header, peaksInPath(height, anchor.height, path))
  return 'code' in chain ? chain : undefined
}

/** The range over the blocks up to and with the one of this hash. */
interface RangeAfter {
  readonly hash: Uint8Array
  readonly mmr: Mmr
  readonly root: Uint8Array
}

/** The range that a header commits to, if these are its peaks. */
function rangeBefore(header: Header, peaks: readonly Uint8Array[]): Mmr | undefined {
  if (!peaks.every((peak) => peak.byteLength === header.mmrRoot.byteLength)) return undefined
  if (!equalBytes(bagPeaks(peaks), header.mmrRoot)) return undefined
  try {
    return Mmr.from(
      header.height,
      peaks.map((peak) => peak.slice())
    )
  } catch {
    return undefined
  }
}

function badPeaks({ height, mmrRoot }: Header): Failure {
  return failure('BAD_MMR_ROOT', `the peaks are not those of header ${height}'s mmr_root ${toHex(mmrRoot)}`)
}

function differs(
  code: 'BAD_PARENT' | 'BAD_MMR_ROOT' | 'BAD_STATE_ROOT',
  name: string,
  has: Uint8Array,
  must: Uint8Array,
  height: number
): Failure {
  return failure(code, `header's ${name} is ${toHex(has)}; accepted at height ${height}: ${toHex(must)}`)
}

/** Of its own bytes: a view would keep the frame alive that it came in. */
function copyOf(header: Header): Header {
  return {
    ...header,
    parentHash: header.parentHash.slice(),
    eventsRoot: header.eventsRoot.slice(),
    mmrRoot: header.mmrRoot.slice(),
    stateRoot: header.stateRoot.slice(),
    validatorsHash: header.validatorsHash.slice(),
    nextValidatorsHash: header.nextValidatorsHash.slice(),
    proposer: header.proposer.slice()
  }
}
