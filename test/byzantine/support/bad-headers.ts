import { encodeHeader } from '../../../src/chain/header.ts'
import { Commit, TrustedHeader } from '../../../src/codec/generated/chain.ts'
import { joinTrustedHeader } from '../../../src/codec/raw.ts'
import type { KeyPair } from '../../../src/crypto/ed25519.ts'
import { type HeaderChanges, remade } from '../../support/trusted-headers.ts'
import { deep, heights } from './bad-blocks.ts'
import { honestChain, TIP } from './chain.ts'
import { flipped } from './forge.ts'
import type { HostilePeer, Role, Wanted } from './hostile.ts'
import { ProvingPorts, served } from './proving.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** Serves what it likes in place of the headers that it is asked for. */
class LyingPorts extends ProvingPorts {
  readonly #peer: HostilePeer
  readonly #answer: (wanted: Wanted) => readonly Uint8Array[]

  constructor(peer: HostilePeer, answer: (wanted: Wanted) => readonly Uint8Array[]) {
    super(TIP)
    this.#peer = peer
    this.#answer = answer
  }

  override async *readHeaders(start: number, count: number): AsyncGenerator<Uint8Array> {
    yield* this.#answer({ start, count: Math.min(count, TIP + 1 - start) })
    this.#peer.strike()
  }
}

export function servingHeaders(answer: (wanted: Wanted) => readonly Uint8Array[]): Role {
  return { ports: (peer) => new LyingPorts(peer, answer) }
}

/** Good headers, and in the middle of each answer a bad one. */
export function badHeader(make: (height: number) => Uint8Array, at = deep): Role {
  return servingHeaders((wanted) => {
    const bad = at(wanted)
    return heights(wanted).map((height) => (height === bad ? make(height) : honestHeader(height)))
  })
}

/** The same with a header that says something else, sealed and certified anew: the work of a quorum that broke the rules. */
export function certifiedHeader(changes: (height: number) => HeaderChanges, at?: (wanted: Wanted) => number): Role {
  return badHeader((height) => otherHeader(height, changes(height)), at)
}

/** The same under the commit of the block that it was: what a single hostile peer can do. */
export function uncertifiedHeader(header: HeaderChanges['header']): Role {
  return badHeader((height) => otherHeader(height, { header: header ?? {}, commit: commitAt(height) }))
}

/** The honest header under a commit that only these signed. */
export function signedBy(keys: (validators: readonly KeyPair[]) => readonly KeyPair[]): Role {
  return certifiedHeader(() => ({ keys: keys(honestChain().maker.validators) }))
}

/** The peaks that come with headers are others, as many as there must be. */
export function badPeaks(): Role {
  return {
    ports: (peer) => {
      const ports = new ProvingPorts(TIP)
      ports.proving.readPeaks = async (count) => {
        peer.strike()
        return served().peaks(count).map(flipped)
      }
      return ports
    }
  }
}

/** The encoded TrustedHeader. */
export function honestHeader(height: number): Uint8Array {
  return served().headers[height - 1] as Uint8Array
}

export function otherHeader(height: number, changes: HeaderChanges): Uint8Array {
  return remade(honestChain().maker, honestHeader(height), changes)
}

/** The honest header with another seal: its commit says nothing of it. */
export function otherSeal(height: number): Uint8Array {
  const { header, seal, commit, mmrRoot } = TrustedHeader.decode(honestHeader(height))
  return joinTrustedHeader({
    header: encodeHeader(header as NonNullable<typeof header>),
    seal: flipped(seal),
    commit: Commit.encode(commit as Commit),
    mmrRoot
  })
}

export function commitAt(height: number): Commit {
  return TrustedHeader.decode(honestHeader(height)).commit as Commit
}

export const OTHER: Bytes = new Uint8Array(32).fill(7)
