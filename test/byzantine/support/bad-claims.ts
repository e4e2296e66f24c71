import { type Commit, decodeCommit } from '../../../src/chain/commit.ts'
import { blockHash } from '../../../src/chain/domain.ts'
import type { Header } from '../../../src/codec/generated/chain.ts'
import { makeStatus } from '../../../src/network/streams/status.ts'
import type { Head } from '../../../src/network/types.ts'
import { ChainPorts } from '../../network/support/nodes.ts'
import { honestChain, TIP } from './chain.ts'
import type { Forge } from './forge.ts'
import { framed, type HostilePeer, type RawAnswer, type Role } from './hostile.ts'

/** A height that nobody has. */
const CLAIMED = 10_000

/** Says in each Status that it has a height that there is not, with this commit to prove it. */
export function claiming(prove: (forge: Forge, header: Header) => Commit | undefined): Role {
  return {
    ports: (peer) => {
      const ports = new ChainPorts(TIP, honestChain())
      ports.lie = claim(ports.head(), peer.forge, prove)
      return ports
    },
    answers: { status: telling((peer) => [framed(makeStatus(peer.head, 0))]) }
  }
}

function claim(head: Head, forge: Forge, prove: (forge: Forge, header: Header) => Commit | undefined): Partial<Head> {
  const header = { ...head.header, height: CLAIMED }
  return { height: CLAIMED, header, hash: blockHash(forge.genesisHash, header), commit: prove(forge, header) }
}

/** The commit of another block, a true one. */
export function otherCommit(): Commit {
  return decodeCommit((honestChain().blocks[TIP - 1] as { commitBytes: Uint8Array }).commitBytes)
}

/** Answers Status with two frames where there is one. */
export function twoStatuses(): Role {
  return { answers: { status: telling((peer) => [peer.head, peer.head].map((head) => framed(makeStatus(head, 0)))) } }
}

export function garbledStatus(): Role {
  return { answers: { status: telling(() => [framed(new Uint8Array(100).fill(0xff))]) } }
}

/** A Status that says it has a terabyte. */
export function statusBomb(): Role {
  return { answers: { status: telling(() => [Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0)]) } }
}

/** Takes each Status and says nothing. */
export function silentStatus(): Role {
  const answer: RawAnswer = async function* (_, peer) {
    peer.strike()
    await peer.over
    yield new Uint8Array(0)
  }
  return { answers: { status: answer } }
}

/** Takes each Hello and says nothing: it is connected and never known. */
export function silentHello(): Role {
  const answer: RawAnswer = async function* (_, peer) {
    peer.strike()
    await peer.over
    yield new Uint8Array(0)
  }
  return { answers: { hello: answer } }
}

function telling(chunks: (peer: HostilePeer) => Uint8Array[]): RawAnswer {
  return async function* (_, peer) {
    peer.strike()
    yield* chunks(peer)
  }
}
