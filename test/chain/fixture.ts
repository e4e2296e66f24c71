/** Keys, events and blocks with real signatures, without a ledger: each block stands alone. */

import type { NextBlock } from '../../src/chain/check-block.ts'
import { buildCommit, encodeCommit } from '../../src/chain/commit.ts'
import { blockHash, eventMessage } from '../../src/chain/domain.ts'
import { type CheckedEvent, type EventBody, eventId, Outcome, signEvent } from '../../src/chain/event.ts'
import { createGenesis, type Genesis } from '../../src/chain/genesis.ts'
import { encodeHeader, genesisBlockHash, genesisHeader, type Header } from '../../src/chain/header.ts'
import { merkleRoot } from '../../src/chain/merkle.ts'
import type { Params } from '../../src/chain/params.ts'
import { signSeal } from '../../src/chain/proposal.ts'
import { signVote, type Vote, VoteType } from '../../src/chain/vote.ts'
import { utf8 } from '../../src/codec/bytes.ts'
import { SignedEvent } from '../../src/codec/generated/event.ts'
import { joinBlock, joinFinalized } from '../../src/codec/raw.ts'
import { type KeyPair, keyPairFromSeed, sign } from '../../src/crypto/ed25519.ts'
import { sha256 } from '../../src/crypto/sha256.ts'

export const GENESIS_TIME = 1_700_000_000_000

export function keyOf(name: string): KeyPair {
  return keyPairFromSeed(sha256(utf8(`test key ${name}`)))
}

export interface TestChain {
  readonly genesis: Genesis
  /** Validator keys in genesis order. */
  readonly keys: readonly KeyPair[]
  readonly next: NextBlock
}

export function testChain(
  validators = 4,
  options: { params?: Partial<Params>; actors?: readonly KeyPair[]; chainId?: string } = {}
): TestChain {
  const keys = Array.from({ length: validators }, (_, i) => keyOf(`validator ${i}`))
  const genesis = createGenesis({
    chainId: options.chainId ?? 'test',
    timestamp: GENESIS_TIME,
    validators: keys.map(({ publicKey }, i) => ({ name: `v${i}`, publicKey })),
    actors: options.actors?.map((key) => key.publicKey),
    params: options.params
  })
  const hash = genesisBlockHash(genesis)
  const next: NextBlock = {
    height: 1,
    parentHash: hash,
    mmrRoot: sha256(Buffer.concat([Uint8Array.of(0), hash])),
    stateRoot: genesisHeader(genesis).stateRoot,
    parentTimestamp: GENESIS_TIME
  }
  return { genesis, keys, next }
}

export function eventFields(index: number, changes: Partial<EventBody> = {}): EventBody {
  return {
    timestamp: GENESIS_TIME + 1000 + index,
    occurredAt: GENESIS_TIME,
    action: 'repo.commit',
    resource: { kind: 'repo', id: `project/file-${index}` },
    outcome: Outcome.SUCCESS,
    actorName: 'A. U. Thor',
    metadata: [{ key: 'sha', value: `${index}`.padStart(10, '0') }],
    ...changes
  }
}

export function testEvent(
  chain: TestChain,
  index: number,
  changes: Partial<EventBody> = {},
  actor = 'actor'
): CheckedEvent {
  return signEvent(chain.genesis.hash, keyOf(actor), eventFields(index, changes))
}

/** A SignedEvent of any body, with a valid signature. */
export function oddEvent(chain: TestChain, body: Uint8Array, actor = 'actor'): Uint8Array<ArrayBuffer> {
  const key = keyOf(actor)
  const signature = sign(key, eventMessage(chain.genesis.hash, body))
  return SignedEvent.encode({ body: new Uint8Array(body), actor: new Uint8Array(key.publicKey), signature })
}

export interface BlockChanges {
  readonly header?: Partial<Header>
  readonly events?: readonly Uint8Array[]
  readonly seal?: Uint8Array
  /** Index of the validator that makes and seals it; proposer(1, 0) if left out. */
  readonly proposer?: number
}

export interface TestBlock {
  readonly header: Header
  readonly hash: Uint8Array<ArrayBuffer>
  readonly blockBytes: Uint8Array<ArrayBuffer>
}

/** A block at the chain's `next`, valid but for the changes. */
export function testBlock(chain: TestChain, changes: BlockChanges = {}): TestBlock {
  const { genesis, keys, next } = chain
  const events = changes.events ?? []
  const key = keys[changes.proposer ?? genesis.validators.proposer(next.height, 0)] as KeyPair
  const header: Header = {
    version: 1,
    height: next.height,
    parentHash: new Uint8Array(next.parentHash),
    eventsRoot: new Uint8Array(merkleRoot(events.map((bytes) => leafOf(bytes)))),
    eventCount: events.length,
    mmrRoot: new Uint8Array(next.mmrRoot),
    stateRoot: new Uint8Array(next.stateRoot),
    validatorsHash: genesis.validators.hash,
    nextValidatorsHash: genesis.validators.hash,
    timestamp: GENESIS_TIME + 2000,
    proposer: new Uint8Array(key.publicKey),
    ...changes.header
  }
  const hash = blockHash(genesis.hash, header)
  const seal = changes.seal ?? signSeal(genesis.hash, key, hash)
  return { header, hash, blockBytes: joinBlock(encodeHeader(header), seal, events) }
}

function leafOf(bytes: Uint8Array): Uint8Array {
  const { actor, signature, body } = SignedEvent.decode(bytes)
  return eventId(actor, signature, body)
}

export function precommits(chain: TestChain, hash: Uint8Array, signers: readonly number[], round = 0): Vote[] {
  const slot = { type: VoteType.PRECOMMIT, height: chain.next.height, round, blockHash: hash }
  return signers.map((index) => signVote(chain.genesis.hash, chain.keys[index] as KeyPair, slot))
}

/** The least quorum's commit, as FinalizedBlock bytes. */
export function finalize(chain: TestChain, block: TestBlock): Uint8Array<ArrayBuffer> {
  const signers = Array.from({ length: chain.genesis.validators.quorum }, (_, i) => i)
  const commit = buildCommit(chain.genesis, precommits(chain, block.hash, signers))
  return joinFinalized(block.blockBytes, encodeCommit(commit))
}
