import type { CheckedHeader } from '../chain/check-header.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import { equalBytes } from '../codec/bytes.ts'
import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { ProofRequests } from '../network/types.ts'
import { withinAnswerTime } from './answer-time.ts'
import { fetchHeader } from './fetch-header.ts'
import type { Needed } from './holders.ts'
import type { PeerPauses, Turn } from './peer-pauses.ts'

export interface CrossCheckPorts {
  readonly genesis: Genesis
  tip(): { readonly height: number; readonly hash: Uint8Array }
  /** Peers that may have what is needed. */
  holders(needed: Needed): string[]
  readonly pauses: PeerPauses
  readonly getHeaders: ProofRequests['getHeaders']
  /** Whether two certified headers of one height are known: then no answer says which chain is right. */
  halted(): boolean
  /** Compares a certified header with ours. @throws MolochError CONFLICTING_FINALITY: evidence is kept by then; what our store throws */
  compare(header: CheckedHeader): Promise<Failure | undefined>
  penalise(peer: string, code: string, message: string): void
  readonly log: Log
}

/** The last comparison that came to an end. */
export interface CrossChecked {
  readonly height: number
  /** How many peers were asked: those that did not show the same header said nothing, or something that does not hold. */
  readonly asked: number
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
    this.#timer = setInterval(() => void this.soon(), intervalMs)
  }

  /** Begins a comparison unless one is under way. @returns when it has ended */
  async soon(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    await this.#running
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#closing.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { height, hash } = this.#ports.tip()
    if (height === 0 || this.#ports.halted()) return
    const holders = this.#ports.holders({ from: height, to: height })
    for (const peer of this.#asked.keys()) if (!holders.includes(peer)) this.#asked.delete(peer)
    const last = (peer: string): number => this.#asked.get(peer) ?? 0
    const agreed: string[] = []
    let asked = 0
    for (const peer of holders.sort((a, b) => last(a) - last(b))) {
      if (agreed.length === CROSS_CHECK_PEERS || this.#closing.signal.aborted || this.#ports.halted()) break
      const turn = this.#ports.pauses.take([peer])
      if (turn === undefined) continue
      this.#asked.set(peer, performance.now())
      asked += 1
      const header = await this.#fetch(turn, height)
      if (header === undefined || this.#ports.halted()) continue
      try {
        if (await this.#agrees(peer, header, hash)) agreed.push(peer)
      } catch (error) {
        // A conflict, which the chain tells of itself, or our own disk: no peer's fault, and the next one's header would
        // meet the same.
        this.#ports.log.warn({ peer, err: messageOf(error) }, 'the comparison of the tip with peers has ended')
        return
      }
    }
    const isCut = this.#closing.signal.aborted || this.#ports.halted()
    if (asked > 0 && !isCut) this.#last = { height, asked, peers: agreed, at: Date.now() }
  }

  async #fetch({ peer, end }: Turn, height: number): Promise<CheckedHeader | undefined> {
    const { genesis, getHeaders, penalise, log } = this.#ports
    try {
      const ask = (ends: AbortSignal) => fetchHeader(genesis, getHeaders, peer, height, ends)
      const { header } = await withinAnswerTime(ask, this.#closing.signal)
      end()
      return header
    } catch (error) {
      end(error)
      if (this.#closing.signal.aborted) return undefined
      if (error instanceof MolochError) penalise(peer, error.code, messageOf(error))
      log.debug({ peer, err: messageOf(error) }, 'a peer did not answer for its header')
      return undefined
    }
  }

  async #agrees(peer: string, header: CheckedHeader, hash: Uint8Array): Promise<boolean> {
    const wrong = await this.#ports.compare(header)
    if (wrong !== undefined) this.#ports.penalise(peer, wrong.code, wrong.message)
    return wrong === undefined && equalBytes(header.hash, hash)
  }
}
