import { checkpointText } from '../../chain/checkpoint.ts'
import type { CheckedManifest } from '../../chain/snapshot-manifest.ts'
import { equalBytes, toHex } from '../../codec/bytes.ts'
import { hasCode, MolochError, messageOf } from '../../error.ts'
import { BUSY, LACKING, ON_BAD_LINKS } from './answer-codes.ts'
import type { Lack, SearchedPeer } from './choice.ts'
import { within } from './deadline.ts'
import type { PassedOver } from './passed-over.ts'
import { askHeader, askManifest } from './questions.ts'
import type { Penalise, WarpOptions, WarpPeer, WarpPorts, WrongCheckpoint } from './types.ts'

/** A peer that has nothing for us is asked again after this: it may build a snapshot. */
const AGAIN_MS = 2_000
/** A request that is silent for this long is given up for now: others are to be asked. */
const ANSWER_MS = 4_000
/** However long a peer says that we are to wait. */
const MAX_PAUSE_MS = 30_000
/** Each answer may be a megabyte, and costs a quorum of signatures to check. */
const MAX_ASKED_AT_ONCE = 8

export interface SearchOptions {
  readonly checkpoint: WarpOptions['checkpoint']
  readonly penalise: Penalise
  readonly passedOver: PassedOver
  readonly now: () => number
}

interface Asked {
  peer: WarpPeer
  busy: boolean
  /** When it last answered. */
  answeredAt: number | undefined
  /** It is asked again after that. */
  notBefore: number
  lack: Lack | undefined
  /** What it serves: proven to be under the checkpoint. */
  offer: CheckedManifest | undefined
  /** It lied. */
  barred: boolean
}

/** Asks peers for manifests under the checkpoint, and for the checkpoint itself, and remembers who has what. */
export class ManifestSearch {
  readonly #ports: WarpPorts
  readonly #checkpoint: WarpOptions['checkpoint']
  readonly #penalise: Penalise
  readonly #passedOver: PassedOver
  readonly #now: () => number
  readonly #peers = new Map<string, Asked>()
  readonly #closing = new AbortController()
  #held: CheckedManifest | undefined
  #wrong: WrongCheckpoint | undefined
  /** A certified header has the checkpoint's hash. */
  #confirmed = false
  #lastWords = ''

  constructor(ports: WarpPorts, { checkpoint, penalise, passedOver, now }: SearchOptions) {
    this.#ports = ports
    this.#passedOver = passedOver
    this.#checkpoint = checkpoint
    this.#penalise = penalise
    this.#now = now
    // Block 0 nobody certifies: it is the genesis's.
    this.#confirmed = checkpoint.height === 0
  }

  setPeer(peer: WarpPeer): void {
    const asked = this.#peers.get(peer.id)
    if (asked !== undefined) asked.peer = peer
    else {
      const fresh = {
        busy: false,
        answeredAt: undefined,
        notBefore: 0,
        lack: undefined,
        offer: undefined,
        barred: false
      }
      this.#peers.set(peer.id, { peer, ...fresh })
    }
  }

  removePeer(id: string): void {
    this.#peers.delete(id)
  }

  /** It is asked for nothing more. */
  bar(id: string): void {
    const asked = this.#peers.get(id)
    if (asked === undefined) return
    asked.barred = true
    asked.offer = undefined
  }

  pardon(id: string): void {
    const asked = this.#peers.get(id)
    if (asked !== undefined) asked.barred = false
  }

  /** What it offered it does not serve any more. */
  forget(id: string): void {
    const asked = this.#peers.get(id)
    if (asked === undefined) return
    asked.offer = undefined
    asked.lack = 'nothing'
  }

  /** A snapshot of which chunks are here: peers are asked for it first. */
  prefer(manifest: CheckedManifest | undefined): void {
    this.#held = manifest
  }

  get wrong(): WrongCheckpoint | undefined {
    return this.#wrong
  }

  get peers(): readonly SearchedPeer[] {
    return [...this.#peers.values()].map((asked) => {
      const isUseless = asked.barred || (asked.offer !== undefined && !this.#offers(asked))
      return { peer: asked.peer, lack: isUseless ? 'nothing' : asked.lack }
    })
  }

  /** What a peer last said of why it has nothing for us. */
  get lastWords(): string {
    return this.#passedOver.words || this.#lastWords
  }

  /** Whether it is too early to go without a snapshot: one that is half here is to be tried once more. */
  get isAwaiting(): boolean {
    return this.#passedOver.isAwaited
  }

  /** Whether every peer that may be asked has answered once. */
  get allAnswered(): boolean {
    return [...this.#peers.values()].every(({ answeredAt, barred }) => barred || answeredAt !== undefined)
  }

  offers(): { readonly peer: string; readonly manifest: CheckedManifest }[] {
    return [...this.#peers].flatMap(([peer, asked]) => {
      const { offer } = asked
      return offer !== undefined && this.#offers(asked) ? [{ peer, manifest: offer }] : []
    })
  }

  /** Who offers only what is passed over is asked on: it may build another. */
  #offers({ offer }: Asked): boolean {
    return offer !== undefined && !this.#passedOver.has(offer)
  }

  /** Asks whoever is to be asked now; who waits for longest first, so that no crowd of silent ones keeps others out. */
  tick(): void {
    const at = this.#now()
    const peers = [...this.#peers.values()]
    const room = MAX_ASKED_AT_ONCE - peers.filter(({ busy }) => busy).length
    const due = peers.filter((asked) => !asked.busy && !asked.barred && at >= asked.notBefore && !this.#offers(asked))
    for (const asked of due.sort((a, b) => a.notBefore - b.notBefore).slice(0, room)) void this.#ask(asked)
  }

  /** Ends what is being asked. */
  close(): void {
    this.#closing.abort()
  }

  /** Never throws. */
  async #ask(asked: Asked): Promise<void> {
    asked.busy = true
    const { peer } = asked
    try {
      const offer = await this.#offerOf(peer)
      if (!asked.barred) asked.offer = offer
    } catch (error) {
      if (this.#closing.signal.aborted) return
      if (error instanceof MolochError) this.#failed(asked, error)
      else this.#ports.log.error({ peer: peer.id, err: messageOf(error) }, 'a manifest could not be asked for')
    } finally {
      asked.busy = false
      asked.answeredAt = this.#now()
      asked.notBefore = Math.max(asked.notBefore, asked.answeredAt + AGAIN_MS)
    }
  }

  #failed(asked: Asked, error: MolochError): void {
    const { id, height } = asked.peer
    const message = messageOf(error)
    this.#lastWords = message
    this.#ports.log.debug({ peer: id, code: error.code }, `a peer has no snapshot for us: ${message}`)
    asked.lack = BUSY.has(error.code) ? 'busy' : 'nothing'
    const { retryAfterMs } = error.details
    if (typeof retryAfterMs === 'number') asked.notBefore = this.#now() + Math.min(retryAfterMs, MAX_PAUSE_MS)
    // Of a checkpoint that nobody has shown to be right: it may be ours that is wrong, and no peer is at fault.
    if (error.code === 'CHECKPOINT_PATH' && !this.#confirmed) {
      asked.lack = 'unproven'
      return
    }
    // We are impatient, for there are others to ask: that says little against a peer.
    if (error.code === 'UNANSWERED') return
    if (!LACKING.has(error.code) && !ON_BAD_LINKS.has(error.code)) this.bar(id)
    this.#penalise(id, { code: error.code, message, height })
  }

  async #offerOf(peer: WarpPeer): Promise<CheckedManifest | undefined> {
    if (!this.#confirmed && peer.earliest <= this.#checkpoint.height && this.#checkpoint.height <= peer.height) {
      try {
        await this.#answered((signal) => this.#confirm(peer.id, signal))
      } catch (error) {
        // It may have the snapshot all the same.
        if (!(error instanceof MolochError && LACKING.has(error.code))) throw error
      }
    }
    if (this.#wrong !== undefined) return undefined
    const held = this.#held
    if (held !== undefined && !this.#passedOver.has(held)) {
      try {
        return await this.#answered((signal) => this.#manifest(peer.id, held.height, signal))
      } catch (error) {
        if (!hasCode(error, 'UNAVAILABLE')) throw error
      }
    }
    return this.#answered((signal) => this.#manifest(peer.id, 0, signal))
  }

  #answered<Answer>(ask: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    return within(ANSWER_MS, this.#closing.signal, ask)
  }

  async #manifest(peer: string, height: number, signal: AbortSignal): Promise<CheckedManifest | undefined> {
    const answer = await askManifest(this.#ports, { peer, height, checkpoint: this.#checkpoint }, signal)
    if ('manifest' in answer) return answer.manifest
    this.#isWrong(peer, toHex(answer.hash))
    return undefined
  }

  /** Whether the validators certified the checkpoint. */
  async #confirm(peer: string, signal: AbortSignal): Promise<void> {
    const { height, hash } = this.#checkpoint
    const certified = await askHeader(this.#ports, peer, height, signal)
    if (certified === undefined) return
    if (equalBytes(certified.hash, hash)) this.#confirmed = true
    else this.#isWrong(peer, toHex(certified.hash))
  }

  #isWrong(peer: string, certified: string): void {
    const { height, hash } = this.#checkpoint
    const message =
      `block ${height} is not the checkpoint's: expected ${toHex(hash)}, but the validators certified ${certified}; compare ` +
      'with the output of "moloch checkpoint show" at a node that you trust'
    const expected = checkpointText(this.#checkpoint)
    this.#wrong ??= { kind: 'wrong-checkpoint', message, expected, certified: `${height}:${certified}`, peer }
  }
}
