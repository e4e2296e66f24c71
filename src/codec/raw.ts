/**
 * Messages as views of their parts' bytes: no copies, no decoding of what is inside. `bytes` and an embedded message
 * have one wire form; the Raw… messages of protos/ say so, and a test holds them to it.
 *
 * None of these checks anything but the frame they split: walk the bytes first (canonical.ts). Views pin the buffer
 * they were cut from: copy what is kept.
 */
import { RawBlock, RawFinalizedBlock, RawTrustedHeader } from './generated/chain.ts'
import { RawEvents, RawNewBlock } from './generated/gossip.ts'

type Bytes = Uint8Array<ArrayBuffer>

export interface FinalizedParts {
  /** Encoded Block. */
  readonly block: Bytes
  /** Encoded Commit. */
  readonly commit: Bytes
}

export interface BlockParts {
  /** Encoded Header. */
  readonly header: Bytes
  readonly seal: Bytes
  /** Encoded SignedEvents. */
  readonly events: readonly Bytes[]
}

export interface NewBlockParts {
  readonly round: number
  readonly validRound: number | undefined
  /** Encoded Block. */
  readonly block: Bytes
  /** The proposal signature. */
  readonly signature: Bytes
}

export function splitFinalized(bytes: Uint8Array): FinalizedParts {
  return RawFinalizedBlock.decode(bytes)
}

export function joinFinalized(block: Uint8Array, commit: Uint8Array): Bytes {
  return RawFinalizedBlock.encode({ block: block as Bytes, commit: commit as Bytes })
}

export function splitBlock(bytes: Uint8Array): BlockParts {
  return RawBlock.decode(bytes)
}

export function joinBlock(header: Uint8Array, seal: Uint8Array, events: readonly Uint8Array[]): Bytes {
  return RawBlock.encode({ header: header as Bytes, seal: seal as Bytes, events: events as Bytes[] })
}

export function splitNewBlock(bytes: Uint8Array): NewBlockParts {
  const { round, validRound, block, signature } = RawNewBlock.decode(bytes)
  return { round, validRound, block, signature }
}

export function joinNewBlock(parts: {
  readonly round: number
  readonly validRound?: number | undefined
  readonly block: Uint8Array
  readonly signature: Uint8Array
}): Bytes {
  return RawNewBlock.encode({
    round: parts.round,
    ...(parts.validRound === undefined ? {} : { validRound: parts.validRound }),
    block: parts.block as Bytes,
    signature: parts.signature as Bytes
  })
}

export interface TrustedHeaderParts {
  /** Encoded Header. */
  readonly header: Uint8Array
  readonly seal: Uint8Array
  /** Encoded Commit. */
  readonly commit: Uint8Array
  /** The root after the block. */
  readonly mmrRoot: Uint8Array
}

export function joinTrustedHeader({ header, seal, commit, mmrRoot }: TrustedHeaderParts): Bytes {
  return RawTrustedHeader.encode({
    header: header as Bytes,
    seal: seal as Bytes,
    commit: commit as Bytes,
    mmrRoot: mmrRoot as Bytes
  })
}

export interface VoucherParts {
  readonly validator: Uint8Array
  readonly signature: Uint8Array
}

export interface EventsParts {
  /** Encoded SignedEvents. */
  readonly events: readonly Bytes[]
  readonly voucher: VoucherParts | undefined
}

export function splitEvents(bytes: Uint8Array): EventsParts {
  const { events, voucher } = RawEvents.decode(bytes)
  return { events, voucher }
}

export function joinEvents(events: readonly Uint8Array[], voucher?: VoucherParts): Bytes {
  return RawEvents.encode({
    events: events as Bytes[],
    ...(voucher && { voucher: voucher as { validator: Bytes; signature: Bytes } })
  })
}

/** Tag and length of an Events' last field, and what a Voucher is: two fields of a fixed length. */
const VOUCHER_BYTES = 2 + (2 + 32) + (2 + 64)

/** What a canonical Events with a voucher is without it. */
export function withoutVoucher(events: Uint8Array): Uint8Array {
  return events.subarray(0, events.byteLength - VOUCHER_BYTES)
}

/** What a voucher begins with, and what is between its two parts: tags and lengths of a byte each. */
const VOUCHER_START = [0x12, 100, 0x0a, 32]
const VOUCHER_SIGNATURE_AT = 4 + 32 + 2

/**
 * The voucher of an Events message, by its last bytes alone: no canonical message ends like this without one, for the last
 * field of an event has another tag. Of a message that is not canonical it means nothing.
 */
export function voucherAtEnd(events: Uint8Array): VoucherParts | undefined {
  const end = events.subarray(Math.max(0, events.byteLength - VOUCHER_BYTES))
  const signed = end[VOUCHER_SIGNATURE_AT - 2] === 0x12 && end[VOUCHER_SIGNATURE_AT - 1] === 64
  if (end.byteLength < VOUCHER_BYTES || !signed || !VOUCHER_START.every((byte, at) => end[at] === byte))
    return undefined
  return { validator: end.subarray(4, 4 + 32), signature: end.subarray(VOUCHER_SIGNATURE_AT) }
}

/** Header (encoded) and seal of a canonical Block, without looking at its events. */
export function sealedHeaderOf(block: Uint8Array): { header: Uint8Array; seal: Uint8Array } {
  const header = headerOf(block)
  // Field 2, 64 bytes: a tag and a length of a byte each.
  const seal = header.byteOffset - block.byteOffset + header.byteLength + 2
  return { header, seal: block.subarray(seal, seal + 64) }
}

/** The encoded Header of a canonical Block, without looking at its events. */
export function headerOf(block: Uint8Array): Uint8Array {
  // Field 1 comes first. A header is shorter than 2^14 bytes: a length of one or two.
  const low = block[1] as number
  if (low < 0x80) return block.subarray(2, 2 + low)
  const length = (low & 0x7f) | ((block[2] as number) << 7)
  return block.subarray(3, 3 + length)
}
