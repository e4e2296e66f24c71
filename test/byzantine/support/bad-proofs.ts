import type { HistoryPage } from '../../../src/codec/generated/proof.ts'
import { GetProof, Proof } from '../../../src/codec/generated/sync.ts'
import { TIP } from './chain.ts'
import { framed, type HostilePeer, type Role } from './hostile.ts'
import { ProvingPorts } from './proving.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** A proof that was asked for, for some of its parts to be put in place of others. */
type Whole = { readonly [Kind in 'event' | 'header' | 'consistency' | 'history']: NonNullable<Proof[Kind]> }

/** Serves headers as it should, and proofs as it likes. */
class LyingPorts extends ProvingPorts {
  readonly #peer: HostilePeer
  readonly #answer: (honest: Whole, request: GetProof) => Proof

  constructor(peer: HostilePeer, answer: (honest: Whole, request: GetProof) => Proof) {
    super(TIP)
    this.#peer = peer
    this.#answer = answer
  }

  override async prove(request: GetProof): Promise<Proof> {
    const honest = (await super.prove(request)) as Whole
    this.#peer.strike()
    return this.#answer(honest, request)
  }
}

/** @param answer may throw a MolochError: then it refuses so */
export function proving(answer: (honest: Whole, request: GetProof) => Proof): Role {
  return { ports: (peer) => new LyingPorts(peer, answer) }
}

/** Proofs of events with other parts. */
export function eventProof(change: (honest: Whole['event']) => Partial<Whole['event']>): Role {
  return proving(({ event }) => ({ event: { ...event, ...change(event) } }))
}

export function headerProof(change: (honest: Whole['header']) => Partial<Whole['header']>): Role {
  return proving(({ header }) => ({ header: { ...header, ...change(header) } }))
}

export function consistencyProof(change: (honest: Whole['consistency']) => Partial<Whole['consistency']>): Role {
  return proving(({ consistency }) => ({ consistency: { ...consistency, ...change(consistency) } }))
}

/** Histories with other parts. */
export function historyProof(change: (honest: Whole['history']) => Partial<Whole['history']>): Role {
  return proving(({ history }) => ({ history: { ...history, ...change(history) } }))
}

/** Histories with another page. */
export function historyPage(change: (page: HistoryPage) => Partial<HistoryPage>): Role {
  return historyProof(({ pages: [page] }) => {
    if (page === undefined) throw new RangeError('a history without a page')
    return { pages: [{ ...page, ...change(page) }] }
  })
}

/** Answers GetProof with raw bytes, made from the honest answer's. */
export function rawProof(make: (honest: Uint8Array) => Uint8Array): Role {
  return {
    answers: {
      proof: async function* (request, peer) {
        const honest = await new ProvingPorts(TIP).prove(GetProof.decode(request))
        peer.strike()
        yield framed(make(Proof.encode(honest)))
      }
    }
  }
}

/** Declares a proof of a terabyte. */
export function proofBomb(): Role {
  return {
    answers: {
      proof: async function* (_, peer) {
        peer.strike()
        yield Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0)
        await peer.over
      }
    }
  }
}

/** Takes each request and says nothing. */
export function silentProof(): Role {
  return {
    answers: {
      // biome-ignore lint/correctness/useYield: that it yields nothing is the deed
      proof: async function* (_, peer, gone) {
        await gone
        peer.strike()
      }
    }
  }
}

/** The path with one bit of its first hash the other way. */
export function bent([first = new Uint8Array(32), ...rest]: readonly Bytes[]): Bytes[] {
  const other = new Uint8Array(first)
  other[0] = (other[0] as number) ^ 1
  return [other, ...rest]
}
