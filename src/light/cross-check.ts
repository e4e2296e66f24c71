import type { CheckedHeader } from '../chain/check-header.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import { equalBytes } from '../codec/bytes.ts'
import { hasCode, MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { ProofRequests } from '../network/types.ts'
import { withinAnswerTime } from './answer-time.ts'
import { fetchHeader } from './fetch-header.ts'

export interface CrossCheckPorts {
  readonly genesis: Genesis
  tip(): { readonly height: number; readonly hash: Uint8Array }
  /** Peers whose certified height is at least this. */
  holders(height: number): string[]
  readonly getHeaders: ProofRequests['getHeaders']
  /** Compares a certified header with ours. @throws MolochError CONFLICTING_FINALITY: evidence is kept by then */
  compare(header: CheckedHeader): Promise<Failure | undefined>
  penalise(peer: string, code: string, message: string): void
  readonly log: Log
}

/** The last comparison that came to an end. */
export interface CrossChecked {
  readonly height: number
  /** Peers that showed the same certified header. */
  readonly peers: readonly string[]
  /** Unix ms. */
  readonly at: number
}

/** Peers that are asked for their header of our tip: with one alone, who lies and who is lied to look the same. */
export const CROSS_CHECK_PEERS = 2
/** A new tip every second need not mean a request every second. */
const INTERVAL_MS = 10_000

/**
 * A light client hears of the chain from whoever it is connected to. If more than a third of the validators signed two
 * chains, each peer alone looks right: so the tip is compared with what other peers have at its height, again and again,
 * with other peers each time.
 */
export class CrossCheck {
  readonly #ports: CrossCheckPorts
  readonly #closing = new AbortController()
  #last: CrossChecked | undefined
  /** When each peer was last asked. */
  readonly #asked = new Map<string, number>()
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(ports: CrossCheckPorts) {
    this.#ports = ports
  }

  get last(): CrossChecked | undefined {
    return this.#last
  }

  start(intervalMs = INTERVAL_MS): void {
    this.#timer = setInterval(() => this.soon(), intervalMs)
  }

  /** Begins a comparison unless one is under way. */
  soon(): void {
    if (this.#closing.signal.aborted) return
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#closing.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { height, hash } = this.#ports.tip()
    if (height === 0) return
    const holders = this.#ports.holders(height)
    for (const peer of this.#asked.keys()) if (!holders.includes(peer)) this.#asked.delete(peer)
    const last = (peer: string): number => this.#asked.get(peer) ?? 0
    const agreed: string[] = []
    for (const peer of holders.sort((a, b) => last(a) - last(b))) {
      if (agreed.length === CROSS_CHECK_PEERS || this.#closing.signal.aborted) break
      this.#asked.set(peer, performance.now())
      if (await this.#agrees(peer, height, hash)) agreed.push(peer)
    }
    if (agreed.length > 0) this.#last = { height, peers: agreed, at: Date.now() }
  }

  async #agrees(peer: string, height: number, hash: Uint8Array): Promise<boolean> {
    const { genesis, getHeaders, penalise, compare, log } = this.#ports
    try {
      const ask = (ends: AbortSignal) => fetchHeader(genesis, getHeaders, peer, height, ends)
      const { header } = await withinAnswerTime(ask, this.#closing.signal)
      const wrong = await compare(header)
      if (wrong !== undefined) penalise(peer, wrong.code, wrong.message)
      return wrong === undefined && equalBytes(header.hash, hash)
    } catch (error) {
      if (hasCode(error, 'CONFLICTING_FINALITY')) return false
      if (error instanceof MolochError) penalise(peer, error.code, messageOf(error))
      log.debug({ peer, err: messageOf(error) }, 'a peer did not answer for its header')
      return false
    }
  }
}
