import { type Commit, decodeCommit } from '../../../src/chain/commit.ts'
import { blockHash } from '../../../src/chain/domain.ts'
import type { Header } from '../../../src/codec/generated/chain.ts'
import { requestOne } from '../../../src/network/streams/client.ts'
import { makeStatus } from '../../../src/network/streams/status.ts'
import type { Head } from '../../../src/network/types.ts'
import { ChainPorts } from '../../network/support/nodes.ts'
import { honestChain, TIP } from './chain.ts'
import type { Forge } from './forge.ts'
import { framed, type HostilePeer, protocolOf, type RawAnswer, type Role, session } from './hostile.ts'

const LIMITS = {
  openMs: 5000,
  stallMs: 5000,
  maxFrameBytes: 1 << 20,
  firstByteMs: 5000,
  frameMs: 5000,
  answerMs: 5000
}
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
    answers: { status: telling((peer) => [framed(makeStatus(peer.head, 0, 0))]) }
  }
}

/** The same, unasked too, time after time. */
export function insisting(): Role {
  return {
    ...claiming(() => undefined),
    attack: async (peer, target) => {
      const connection = await session(peer, target)
      const status = makeStatus(peer.head, 0, 0)
      while (peer.isAlive && connection.status === 'open') {
        await requestOne(connection, protocolOf('status'), status, LIMITS).catch(() => {})
        await peer.pause(20)
      }
    }
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
  return {
    answers: { status: telling((peer) => [peer.head, peer.head].map((head) => framed(makeStatus(head, 0, 0)))) }
  }
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
  return { answers: { status: nothing } }
}

/** Takes each Hello and says nothing: it is connected and never known. */
export function silentHello(): Role {
  return { answers: { hello: nothing } }
}

// biome-ignore lint/correctness/useYield: that it yields nothing is the deed
const nothing: RawAnswer = async function* (_, peer, gone) {
  peer.strike()
  await gone
}

function telling(chunks: (peer: HostilePeer) => Uint8Array[]): RawAnswer {
  return async function* (_, peer) {
    peer.strike()
    yield* chunks(peer)
  }
}
