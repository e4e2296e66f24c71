import type { NextBlock } from '../chain/check-block.ts'
import { blockHash, sealMessage } from '../chain/domain.ts'
import type { CheckedEvent } from '../chain/event.ts'
import type { Genesis } from '../chain/genesis.ts'
import { encodeHeader, HEADER_VERSION } from '../chain/header.ts'
import { merkleRoot } from '../chain/merkle.ts'
import type { Header } from '../codec/generated/chain.ts'
import { joinBlock } from '../codec/raw.ts'
import { type KeyPair, sign } from '../crypto/ed25519.ts'

export interface BlockInput {
  /** Unix ms. */
  readonly timestamp: number
  readonly proposer: KeyPair
  /** In the order they get in the block; that they fit and are new is the caller's to see to. */
  readonly events: readonly CheckedEvent[]
}

export interface BuiltBlock {
  /** An encoded Block with its seal. */
  readonly blockBytes: Uint8Array
  readonly hash: Uint8Array
  readonly header: Header
}

/** The block that follows: proposed time = max(timestamp, parent's + 1). */
export function buildBlock(genesis: Genesis, next: NextBlock, input: BlockInput): BuiltBlock {
  const { proposer, events } = input
  const header = {
    version: HEADER_VERSION,
    height: next.height,
    parentHash: next.parentHash,
    eventsRoot: merkleRoot(events.map((event) => event.id)),
    eventCount: events.length,
    mmrRoot: next.mmrRoot,
    stateRoot: next.stateRoot,
    validatorsHash: genesis.validators.hash,
    nextValidatorsHash: genesis.validators.hash,
    timestamp: Math.max(input.timestamp, next.parentTimestamp + 1),
    proposer: proposer.publicKey
    // Only the declared kind of buffer differs: protons' types want Uint8Array<ArrayBuffer>.
  } as Header
  const hash = blockHash(genesis.hash, header)
  const seal = sign(proposer, sealMessage(genesis.hash, hash))
  const blockBytes = joinBlock(
    encodeHeader(header),
    seal,
    events.map((event) => event.bytes)
  )
  return { blockBytes, hash, header }
}
