import { connect, type Socket } from 'node:net'
import type { Connection, Stream } from '@libp2p/interface'
import { encodeCommit } from '../../../src/chain/commit.ts'
import { encodeVote, signVote, VoteType } from '../../../src/chain/vote.ts'
import { joinFinalized, splitFinalized } from '../../../src/codec/raw.ts'
import { sha256 } from '../../../src/crypto/sha256.ts'
import { hasCode } from '../../../src/error.ts'
import type { Topic } from '../../../src/network/types.ts'
import { TIP } from './chain.ts'
import { OUTSIDER } from './forge.ts'
import { type HostilePeer, protocolOf, type Role, session } from './hostile.ts'

/** Bounds of a flood: it is to be felt, and to end. */
const REQUESTS = 2000
const AT_ONCE = 16
const STREAMS = 600
const SOCKETS = 200
const VOTES = 2000
const FINALIZED = 20
/** Messages between which others get a turn. */
const MESSAGES_A_TURN = 25

/** Asks for blocks without a pause, whatever it is told. A deed is a request that was answered RATE_LIMITED. */
export function requestFlood(): Role {
  return {
    attack: async (peer, target) => {
      await session(peer, target)
      let left = REQUESTS
      const ask = async (): Promise<void> => {
        while (left-- > 0 && peer.isAlive) {
          try {
            for await (const _ of peer.network.getBlocks(target.peerId, { start: 1, count: 512 })) break
          } catch (error) {
            if (hasCode(error, 'RATE_LIMITED')) peer.strike()
          }
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, ask))
    }
  }
}

/** Opens streams of all protocols and says nothing on them. A deed is a stream that was opened. */
export function streamFlood(): Role {
  return {
    attack: async (peer, target) => {
      const connection = await session(peer, target)
      for (let i = 0; i < STREAMS && peer.isAlive && connection.status === 'open'; i++) {
        await Promise.all(
          (['blocks', 'status', 'votes'] as const).map((name) => openOne(peer, connection, protocolOf(name)))
        )
      }
    }
  }
}

async function openOne(peer: HostilePeer, connection: Connection, protocol: string): Promise<Stream | undefined> {
  try {
    const stream = await connection.newStream(protocol, {
      maxOutboundStreams: 10_000,
      signal: AbortSignal.timeout(500)
    })
    peer.strike()
    return stream
  } catch {
    // Refused: what it is to come to.
    return undefined
  }
}

/** Opens many connections that say nothing. A deed is one that the node ended. */
export function connectionFlood(): Role {
  return {
    attack: async (peer, { address }) => {
      const port = Number(/\/tcp\/(\d+)/.exec(address)?.[1])
      const sockets = Array.from({ length: SOCKETS }, () => silentSocket(port, () => peer.strike()))
      await peer.over
      for (const socket of sockets) socket.destroy()
    }
  }
}

function silentSocket(port: number, ended: () => void): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.once('close', ended)
  socket.resume()
  return socket
}

/** Publishes votes of real validators for heights that are far away. A deed is a vote that reached somebody. */
export function voteFlood(): Role {
  return {
    attack: async (peer, target) => {
      await session(peer, target)
      await gossiping(peer, VOTES, 'vote', (i) => farVote(peer, i))
    }
  }
}

/** Publishes blocks as final for heights that there are not. A deed is one that reached somebody. */
export function finalizedFlood(): Role {
  return {
    attack: async (peer, target) => {
      await session(peer, target)
      const signers = [0, 1, 2].map(() => ({ key: OUTSIDER }))
      await gossiping(peer, FINALIZED, 'finalized', (i) => {
        const { block } = splitFinalized(peer.forge.certified(TIP, { header: () => ({ height: 10_000 + i }) }))
        const commit = encodeCommit(peer.forge.commitOf({ ...peer.head.header, height: 10_000 + i }, signers))
        return joinFinalized(block, commit)
      })
    }
  }
}

/** Publishes `count` messages that reach somebody; before its subscriptions are known none would. */
export async function gossiping(
  peer: HostilePeer,
  count: number,
  topic: Topic,
  make: (number: number) => Uint8Array
): Promise<void> {
  for (let sent = 0; sent < count && peer.isAlive; ) {
    const reached = await peer.network.publish(topic, make(sent))
    if (reached > 0) {
      sent++
      peer.strike()
    }
    if (reached === 0 || sent % MESSAGES_A_TURN === 0) await peer.pause(1)
  }
}

function farVote({ forge }: HostilePeer, number: number): Uint8Array {
  const { validators, genesisHash } = forge
  const key = validators[number % validators.length] as (typeof validators)[number]
  const slot = { type: VoteType.PRECOMMIT, height: 1_000_000 + number, round: number }
  return encodeVote(
    signVote(genesisHash, key, { ...slot, blockHash: sha256(Uint8Array.of(number & 255, number >> 8)) })
  )
}
