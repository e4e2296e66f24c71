/** Whether this node signs, and with what: a validator's seat, which an observer does not have. Runs the signing gate. */
import { decodeCommit } from '../chain/commit.ts'
import { equalBytes } from '../codec/bytes.ts'
import { type Commit, VoteType } from '../codec/generated/chain.ts'
import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { type Abstention, describeAbstention } from './abstention.ts'
import type { Doubt } from './doubt.ts'
import type { Clock, LedgerPort, VotePeersPort } from './ports.ts'
import type { Signed, Signer } from './signer.ts'
import { type GateAction, PATIENCE_MS, SigningGate } from './signing-gate.ts'
import { Timers } from './timers.ts'

/** A clock may be set while the genesis's time is waited for: it is looked at this often. */
const MAX_WAIT_MS = 10_000
/** Validators that have not answered are asked this often. */
const ASK_MS = 1000
/** Asked at once. */
const MAX_ASKED = 16
/** Blocks below the tip that are looked at for signatures that the log lacks: each has those of a quorum. */
const REVIEWED_BLOCKS = 64

export interface SeatPorts {
  readonly ledger: LedgerPort
  readonly clock: Clock
  readonly log: Log
  readonly signer: Signer | undefined
  readonly peers: Pick<VotePeersPort, 'peers' | 'standing'>
  /** Asks a peer for votes of the next height; `answered` is to be told if it answers. */
  readonly ask: (peer: string) => void
  /** False while the node lacks blocks of the last two windows (protocol §3). */
  readonly maySign: () => boolean
  /** Whether it signs is another than before: the height is to begin again. */
  readonly changed: () => void
  /** Nothing is signed until somebody did something; the code is a SignerErrorCode or a DoubtCode. */
  readonly stopped: (error: MolochError) => void
}

export class Seat {
  readonly #ports: SeatPorts
  readonly #timers: Timers
  readonly #gate: SigningGate
  #broken: string | undefined
  /** Why heights have to pass. */
  #doubt: Doubt | undefined
  #review: Promise<void> | undefined
  /** The last that the log was told of. */
  #told: Abstention['reason'] | undefined
  #turn = 0

  constructor(ports: SeatPorts) {
    this.#ports = ports
    this.#timers = new Timers(ports.clock)
    const { ledger, signer, clock } = ports
    this.#doubt = signer?.doubt ?? signer?.settledDoubt
    this.#gate = new SigningGate(ledger.genesis.validators.quorum, () => ({
      tip: ledger.tip.height,
      now: clock.monotonic(),
      doubt: signer?.doubt,
      isNew: signer?.isNew ?? false,
      closedUpTo: signer?.closedUpTo ?? 0
    }))
  }

  /** Own index in the genesis, −1 for an observer. */
  get index(): number {
    return this.#broken === undefined ? this.validator : -1
  }

  /** The same, also after the signer broke. */
  get validator(): number {
    const { signer, ledger } = this.#ports
    return signer === undefined ? -1 : ledger.genesis.validators.indexOf(signer.publicKey)
  }

  /** Why nothing is signed at the next height; undefined: it is, or this is an observer. */
  get abstention(): Abstention | undefined {
    return this.#abstentionAt(this.#ports.ledger.tip.height + 1)
  }

  /** The signer, if it may sign at that height. */
  signerAt(height: number): Signer | undefined {
    const { signer } = this.#ports
    if (signer === undefined || this.index < 0) return undefined
    this.#run(this.#gate.begin(height))
    if (this.#gate.maySign) this.#doubt = undefined
    const abstention = this.#abstentionAt(height)
    this.#tell(height, abstention)
    if (abstention === undefined) return signer
    if (abstention.reason === 'genesis-time') this.#awaitTime(abstention.until)
    return undefined
  }

  /**
   * Resolves when nothing is being signed, and when the chain here was looked through. Without that a height that begins anew
   * would miss a lock that is under way.
   */
  async ready(): Promise<void> {
    this.#review ??= this.#reviewChain()
    await this.#review
    await this.#ports.signer?.settled()
  }

  /** A peer answered a request for votes of `height`, and had no block of it. */
  answered(peer: string, height: number): void {
    const standing = this.#ports.peers.standing(peer)
    if (standing === undefined || height !== this.#ports.ledger.tip.height + 1 || standing.height >= height) return
    if (standing.validator < 0 || standing.validator !== this.index) this.#run(this.#gate.heard(standing.validator))
  }

  /** A peer has passed Hello. */
  met(peer: string): void {
    const standing = this.#ports.peers.standing(peer)
    if (standing === undefined || standing.validator < 0 || standing.validator !== this.index) return
    this.#ports.log.error({ peer }, "a peer has this validator's key too: one of the two processes is to be stopped")
    this.#run(this.#gate.met(peer))
  }

  /** Something of a validator came by, and its signature verified. */
  saw(validator: Uint8Array, signed: Signed): void {
    const { signer } = this.#ports
    if (signer === undefined || !equalBytes(validator, signer.publicKey)) return
    const { height, round } = signed.kind === 'vote' ? signed.vote : signed.proposal
    const what = signed.kind === 'vote' ? signed.vote.type.toLowerCase() : 'proposal'
    const found = `a ${what} of height ${height}, round ${round}, which has this key's signature,`
    this.#run(this.#gate.saw(height, signer.knows(signed), found))
  }

  /** A block became final. */
  sawCommit({ height, round, blockHash, signatures }: Commit): void {
    const key = this.#ports.signer?.publicKey
    if (key === undefined || !signatures.some(({ validator }) => equalBytes(validator, key))) return
    this.saw(key, { kind: 'vote', vote: { type: VoteType.PRECOMMIT, height, round, blockHash } })
  }

  /** The chain is far ahead. */
  fellBehind(): void {
    this.#gate.fellBehind()
    this.#timers.clear('patience')
    this.#timers.clear('ask')
  }

  /** A height has begun: peers can be asked for its votes. */
  begun(): void {
    if (this.#ports.signer === undefined || this.#gate.state.kind !== 'listening') return
    if (!this.#timers.has('patience')) {
      this.#timers.set('patience', PATIENCE_MS, () => this.#run(this.#gate.conclude()))
    }
    this.#ask()
  }

  /** The signer takes no more until it is opened again. */
  drop(error: unknown): void {
    if (this.#broken !== undefined) return
    this.#broken = messageOf(error)
    this.#stop({ reason: 'broken', message: this.#broken }, 'SIGNER_BROKEN')
  }

  stop(): void {
    this.#timers.clearAll()
  }

  #run(actions: readonly GateAction[]): void {
    for (const action of actions) {
      const { signer, log, changed } = this.#ports
      const failed = (error: unknown): void => this.drop(error)
      switch (action.type) {
        case 'raise':
          signer?.raise(action.height).then(changed, failed)
          break
        case 'suspect':
          this.#doubt = action.doubt
          log.warn({ code: action.doubt.code }, action.doubt.message)
          signer?.suspect(action.doubt).catch(failed)
          break
        case 'stop':
          this.#stop({ reason: 'stopped', ...action.doubt }, action.doubt.code)
          break
        case 'changed':
          changed()
      }
    }
  }

  /** Signatures that the chain here has and the log lacks: then the log is the older of the two. */
  async #reviewChain(): Promise<void> {
    const { signer, ledger, log } = this.#ports
    if (signer === undefined || this.index < 0) return
    const { settledDoubt: settled } = signer
    if (settled !== undefined) log.warn({ code: settled.code, signed: signer.closedUpTo }, settled.message)
    const tip = ledger.tip.height
    for (let height = tip; height >= signer.lowest && height > tip - REVIEWED_BLOCKS; height--) {
      const block = await ledger.blockAt(height)
      if (block === undefined || signer.doubt !== undefined) break
      if (block.commitBytes.byteLength > 0) this.sawCommit(decodeCommit(block.commitBytes))
    }
    // The height begins after this.
    this.#run(this.#gate.conclude().filter(({ type }) => type !== 'changed'))
  }

  /** Validators first; others are asked all the same whenever something is missing. */
  #ask(): void {
    const { peers, ask } = this.#ports
    if (this.#gate.state.kind !== 'listening') return
    const all = peers.peers().sort()
    const validators = all.filter((peer) => {
      const validator = peers.standing(peer)?.validator ?? -1
      return validator >= 0 && this.#gate.listensTo(validator)
    })
    const asked = validators.length > 0 ? validators : all
    for (let i = 0; i < Math.min(asked.length, MAX_ASKED); i++) ask(asked[(this.#turn + i) % asked.length] as string)
    this.#turn += MAX_ASKED
    this.#timers.set('ask', ASK_MS, () => this.#ask())
  }

  #stop(abstention: Extract<Abstention, { message: string }>, code: string): void {
    this.#timers.clearAll()
    this.#told = abstention.reason
    this.#ports.log.error({ code }, `this validator ${describeAbstention(abstention)}`)
    this.#ports.stopped(new MolochError(code, abstention.message))
  }

  #abstentionAt(height: number): Abstention | undefined {
    const { signer, ledger, clock, maySign } = this.#ports
    const { state } = this.#gate
    if (signer === undefined) return undefined
    if (this.#broken !== undefined) return { reason: 'broken', message: this.#broken }
    if (state.kind === 'stopped') return { reason: 'stopped', ...state.doubt }
    const { timestamp, validators } = ledger.genesis
    if (height === 1 && clock.now() < timestamp) return { reason: 'genesis-time', until: timestamp }
    if (!maySign()) return { reason: 'window' }
    const lowest = state.kind === 'passing' ? Math.max(state.floor + 1, signer.lowest) : signer.lowest
    const above = { reason: 'signed-above', doubt: this.#doubt, alone: validators.quorum === 1 } as const
    if (lowest > height) return { ...above, lowest, isKnown: this.#doubt === signer.settledDoubt }
    if (state.kind === 'listening') {
      const { heard, needed } = state.ear
      return { reason: 'listening', heard, needed, doubt: signer.doubt, isNew: signer.isNew }
    }
    // The floor is being written down.
    if (signer.doubt !== undefined) return { ...above, lowest: height + 1, isKnown: false }
    return undefined
  }

  #tell(height: number, abstention: Abstention | undefined): void {
    if (abstention?.reason === this.#told) return
    this.#told = abstention?.reason
    const words = abstention === undefined ? 'signs' : describeAbstention(abstention)
    const level = abstention !== undefined && 'doubt' in abstention && abstention.doubt !== undefined ? 'warn' : 'info'
    this.#ports.log[level]({ height, ...abstention }, `this validator ${words}`)
  }

  #awaitTime(until: number): void {
    const { clock, changed } = this.#ports
    const left = until - clock.now()
    this.#timers.set('genesis', Math.min(Math.max(0, left), MAX_WAIT_MS), () => {
      if (clock.now() < until) this.#awaitTime(until)
      else changed()
    })
  }
}
