import { Header } from '../codec/generated/chain.ts'
import { blockHash, stateRootHash, ZERO_HASH } from './domain.ts'
import type { Genesis } from './genesis.ts'
import type { HeaderFields } from './header-fields.ts'
import { EMPTY_ROOT } from './merkle.ts'

export type { Header } from '../codec/generated/chain.ts'

export const HEADER_VERSION = 1

/** The canonical encoding. */
export function encodeHeader(header: HeaderFields): Uint8Array<ArrayBuffer> {
  // Only the declared kind of buffer differs: protons' types want Uint8Array<ArrayBuffer>.
  return Header.encode(header as Header)
}

/** Block 0, implied by the genesis (protocol §2): no events, no signatures. */
export function genesisHeader(genesis: Genesis): Header {
  const emptyRoot = new Uint8Array(EMPTY_ROOT)
  return {
    version: HEADER_VERSION,
    height: 0,
    parentHash: genesis.hash,
    eventsRoot: emptyRoot,
    eventCount: 0,
    mmrRoot: emptyRoot,
    stateRoot: stateRootHash(0, genesis.validators.hash, ZERO_HASH, ZERO_HASH, ZERO_HASH),
    validatorsHash: genesis.validators.hash,
    nextValidatorsHash: genesis.validators.hash,
    timestamp: genesis.timestamp,
    proposer: ZERO_HASH
  }
}

export function genesisBlockHash(genesis: Genesis): Uint8Array<ArrayBuffer> {
  return blockHash(genesis.hash, genesisHeader(genesis))
}
