import { equalBytes, toHex } from '../codec/bytes.ts'
import type { Commit, Header } from '../codec/generated/chain.ts'
import { readTrustedHeader } from '../codec/read-trusted-header.ts'
import { TRUSTED_HEADER } from '../codec/rules.ts'
import { canonicalFailure, sealFailure, sizeFailure, validatorsHashFailure } from './checked-block.ts'
import { checkCommit, maxCommitBytes } from './commit.ts'
import { blockHash } from './domain.ts'
import { type Failure, failure } from './failures.ts'
import type { Genesis } from './genesis.ts'
import { HEADER_VERSION } from './header.ts'

type Bytes = Uint8Array<ArrayBuffer>

declare const checked: unique symbol

/**
 * A TrustedHeader whose stateless checks were made: form, validators, seal, commit. Only `checkHeader` makes one.
 * Faults of a later stage than the links' are in `deferred`, as with a CheckedBlock. Plain data: it survives a
 * structured clone, and its byte strings are views of the frame that was checked.
 */
export interface CheckedHeader {
  readonly [checked]: true
  readonly height: number
  readonly hash: Bytes
  readonly header: Header
  readonly seal: Bytes
  readonly commit: Commit
  /** What the sender says is the root after this block: nothing is trusted under it before the header chain has made it too. */
  readonly claimedRoot: Bytes
  /** The encoded TrustedHeader. */
  readonly bytes: Bytes
  readonly deferred?: Failure
}

/** A checked header's data, as it crosses a thread. */
export type HeaderData = Omit<CheckedHeader, typeof checked>

export type HeaderCheck = { ok: true; header: CheckedHeader } | { ok: false; failure: Failure }

/** For `checkHeader` and the pool that runs it. */
export function markCheckedHeader(data: HeaderData): CheckedHeader {
  return data as CheckedHeader
}

/** Whether the root that came with a header is the one after its block. */
export function rootFailure({ height, claimedRoot }: CheckedHeader, root: Uint8Array): Failure | undefined {
  if (equalBytes(root, claimedRoot)) return undefined
  const said = toHex(claimedRoot)
  return failure('BAD_MMR_ROOT', `the root after header ${height} is said to be ${said}; it is ${toHex(root)}`)
}

/** Header, seal and root beside the commit. */
const FIXED_BYTES = 512

/** No valid TrustedHeader of this chain is longer: what is longer is not looked at. */
export function maxTrustedHeaderBytes(genesis: Genesis): number {
  return FIXED_BYTES + maxCommitBytes(genesis)
}

/** §7 for one header without its events, but for what needs its parent (HeaderChain.check). */
export function checkHeader(genesis: Genesis, bytes: Uint8Array): HeaderCheck {
  const malformed =
    sizeFailure('header', bytes, maxTrustedHeaderBytes(genesis)) ?? canonicalFailure(TRUSTED_HEADER, bytes)
  if (malformed !== undefined) return { ok: false, failure: malformed }
  const { header, seal, commit, mmrRoot } = readTrustedHeader(bytes)
  if (header.version !== HEADER_VERSION) {
    const message = `header's version is ${header.version}; accepted: ${HEADER_VERSION}`
    return { ok: false, failure: failure('BAD_VERSION', message) }
  }
  const hash = blockHash(genesis.hash, header)
  const deferred =
    validatorsHashFailure(genesis, header) ??
    sealFailure(genesis, header, hash, seal) ??
    checkCommit(genesis, commit, { height: header.height, hash })
  return {
    ok: true,
    header: markCheckedHeader({
      height: header.height,
      hash,
      header,
      seal,
      commit,
      claimedRoot: mmrRoot,
      bytes: bytes as Bytes,
      ...(deferred === undefined ? {} : { deferred })
    })
  }
}
