import type { GetProof } from '../../../src/codec/generated/sync.ts'
import { Proof } from '../../../src/codec/generated/sync.ts'
import { MolochError } from '../../../src/error.ts'
import type { Needed } from '../../../src/light/holders.ts'
import { PeerPauses } from '../../../src/light/peer-pauses.ts'
import { silentLog } from '../../../src/log.ts'
import type { HeadersFrame, ProofRequests } from '../../../src/network/types.ts'
import type { ServedChain } from './served-chain.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** What a peer does with a request; by default what an honest one does. */
export interface Behaviour {
  readonly headers?: (start: number, signal: AbortSignal) => Promise<HeadersFrame>
  readonly proof?: (request: GetProof, signal: AbortSignal) => Promise<Proof>
}

/** Peers as the parts of a light node see them: at the narrow ports, with no network between. */
export class Peers {
  readonly log = silentLog
  readonly pauses = new PeerPauses()
  /** Ids of those asked, in order. */
  readonly asked: string[] = []
  /** What was to be held by those asked. */
  readonly needed: Needed[] = []
  /** `<peer> <code>`. */
  readonly blamed: string[] = []
  readonly #served: ServedChain
  readonly #behaviours: Readonly<Record<string, Behaviour>>

  constructor(served: ServedChain, behaviours: Readonly<Record<string, Behaviour>>) {
    this.#served = served
    this.#behaviours = behaviours
  }

  readonly holders = (needed: Needed): string[] => {
    this.needed.push(needed)
    return Object.keys(this.#behaviours)
  }

  readonly penalise = (peer: string, code: string): void => {
    this.blamed.push(`${peer} ${code}`)
  }

  readonly getHeaders: ProofRequests['getHeaders'] = (peer, { start }, { signal = never() } = {}) => {
    this.asked.push(peer)
    const answer = this.#behaviours[peer]?.headers ?? (() => this.honestHeader(start))
    return once(() => answer(start, signal))
  }

  readonly getProof: ProofRequests['getProof'] = async (peer, request, { signal = never() } = {}) => {
    this.asked.push(peer)
    return (this.#behaviours[peer]?.proof ?? ((wanted) => this.honestProof(wanted)))(request, signal)
  }

  async honestHeader(start: number): Promise<HeadersFrame> {
    const { peaks, headers } = await this.#served.getHeaders(start, 1)
    return { peaks, headers: headers as Bytes[] }
  }

  async honestProof(request: GetProof): Promise<Proof> {
    return Proof.decode(await this.#served.getProof(request))
  }
}

/** Never answers; ends when it is given up. */
export function silence(_: unknown, signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(new MolochError('ABORTED', 'given up'))
    if (signal.aborted) end()
    signal.addEventListener('abort', end)
  })
}

export function refuse(code: string): () => Promise<never> {
  return async () => {
    throw new MolochError(code, `${code}, it says`)
  }
}

async function* once(answer: () => Promise<HeadersFrame>): AsyncGenerator<HeadersFrame, void, undefined> {
  yield await answer()
}

function never(): AbortSignal {
  return new AbortController().signal
}
