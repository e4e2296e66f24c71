/**
 * When a validator may sign, after a start. It listens first. Then it signs, if log and mark say all that its key has signed and
 * nobody has anything else of it. If that is in doubt it waits for two more heights, which the others decide without it:
 *
 *     The others' tip is t. An earlier life of this key had a tip of at most t + 1: who decided t + 1 had a quorum's precommits
 *     of it, and these were signed by validators whose tip was t. So it signed nothing above t + 2.
 *
 * While it waits every signature of its key is somebody else's. One above t + 2 is of a process that runs now; one at a lower
 * height may be, so two heights have to pass after the last. Until they have passed the signer keeps its doubt and all that it
 * has: if they never pass, somebody may still settle it. Pure: what it reads of the world it is given.
 */
import { type Doubt, remedy } from './doubt.ts'
import { Listening } from './listening.ts'

/** Without connections to enough validators the answers of others do after this, where nothing is in doubt. */
export const PATIENCE_MS = 10_000

export type GateState =
  | { readonly kind: 'listening'; readonly ear: Listening }
  | {
      readonly kind: 'passing'
      /** The height at which it began: what is signed there or above is not ours. */
      readonly from: number
      /** The highest height that an earlier life can have signed. */
      readonly last: number
      /** Nothing is signed up to here. */
      readonly floor: number
    }
  /** They have passed: that nothing is signed up to `floor` is being written down. */
  | { readonly kind: 'closing'; readonly floor: number }
  | { readonly kind: 'signing' }
  | { readonly kind: 'stopped'; readonly doubt: Doubt }

/** What the gate reads; all of it is as of the moment of a call. */
export interface GateFacts {
  /** Height of the finalized tip. */
  readonly tip: number
  /** Monotonic ms. */
  readonly now: number
  /** Of the signer: this key may have signed more than it knows of. */
  readonly doubt: Doubt | undefined
  /** Of the signer: it has never signed anything. */
  readonly isNew: boolean
  /** Of the signer: nothing is signed up to here. */
  readonly closedUpTo: number
}

export type GateAction =
  /** Have the signer sign nothing up to this height any more; that settles its doubt, and the height begins again after it. */
  | { readonly type: 'raise'; readonly height: number }
  /** Have the signer sign nothing before it is raised, in another life neither. */
  | { readonly type: 'suspect'; readonly doubt: Doubt }
  /** Nothing is signed before somebody did something. */
  | { readonly type: 'stop'; readonly doubt: Doubt }
  /** What may be signed at the next height is another than before. */
  | { readonly type: 'changed' }

export class SigningGate {
  /** Other validators that make a quorum with this one. */
  readonly #needed: number
  readonly #facts: () => GateFacts
  #state: GateState

  constructor(quorum: number, facts: () => GateFacts) {
    this.#needed = quorum - 1
    this.#facts = facts
    this.#state = this.#listening()
  }

  get state(): GateState {
    return this.#state
  }

  /** Whether it has to hear from that validator. */
  listensTo(validator: number): boolean {
    return this.#state.kind === 'listening' && !this.#state.ear.hasHeard(validator)
  }

  /** A peer has shown that it is at no other height, and all that it has of this key there. @param validator −1: it is none */
  heard(validator: number): GateAction[] {
    if (this.#state.kind !== 'listening') return []
    this.#state.ear.hear(validator)
    return this.conclude()
  }

  /** To be called after a start, and when patience is over. */
  conclude(): GateAction[] {
    const { tip, now, closedUpTo, isNew, ...facts } = this.#facts()
    const doubt = facts.doubt ?? (isNew && tip > 0 ? newcomer(tip) : undefined)
    const isCertain = doubt === undefined && !isNew
    if (this.#state.kind !== 'listening' || !this.#state.ear.isEnough(now, isCertain)) return []
    const next = tip + 1
    if (doubt !== undefined && this.#needed === 0) return this.#stop(doubt)
    if (doubt !== undefined) {
      this.#state = { kind: 'passing', from: next, last: next + 1, floor: next + 1 }
      return [...this.#suspect(doubt), { type: 'changed' }]
    }
    if (closedUpTo < next) this.#state = { kind: 'signing' }
    else this.#state = { kind: 'passing', from: next, last: Math.max(closedUpTo, next + 1), floor: closedUpTo }
    return [{ type: 'changed' }]
  }

  /** A height begins: it may be past what had to pass. */
  begin(height: number): GateAction[] {
    const state = this.#state
    const { doubt } = this.#facts()
    if (state.kind === 'closing' && doubt === undefined) this.#state = { kind: 'signing' }
    if (state.kind !== 'passing' || height <= state.floor) return []
    this.#state = doubt === undefined ? { kind: 'signing' } : { kind: 'closing', floor: state.floor }
    return doubt === undefined ? [] : [{ type: 'raise', height: state.floor }]
  }

  /** Whether anything may be signed, as far as this goes. */
  get maySign(): boolean {
    return this.#state.kind === 'signing'
  }

  /**
   * Something came by with a signature of this key.
   * @param known whether the signer has it, or may have forgotten it
   */
  saw(height: number, known: boolean, what: string): GateAction[] {
    const state = this.#state
    if (state.kind === 'passing') {
      if (height > state.last) return this.#duplicate(`${what} was signed while this process signed nothing`)
      if (height >= state.from && height + 2 > state.floor) this.#state = { ...state, floor: height + 2 }
      return known || height <= this.#facts().closedUpTo ? [] : this.#suspect(behind(what))
    }
    if (known || state.kind === 'stopped' || (state.kind === 'closing' && height <= state.floor)) return []
    if (state.kind === 'signing' || state.kind === 'closing') {
      return this.#duplicate(`${what} is not in the signer's log`)
    }
    return this.#suspect(behind(what))
  }

  /** A peer has this key too. */
  met(peer: string): GateAction[] {
    const { kind } = this.#state
    if (kind === 'signing' || kind === 'closing' || kind === 'stopped') return []
    return this.#duplicate(`the peer ${peer} has this validator's key too`)
  }

  /** The others are far ahead: what was heard is of the past. */
  fellBehind(): void {
    const { kind } = this.#state
    if (kind === 'listening' || kind === 'passing') this.#state = this.#listening()
  }

  #listening(): GateState {
    return {
      kind: 'listening',
      ear: new Listening({ needed: this.#needed, patienceMs: PATIENCE_MS }, this.#facts().now)
    }
  }

  /** The first doubt is the one that is kept. */
  #suspect(doubt: Doubt): GateAction[] {
    return this.#facts().doubt === undefined ? [{ type: 'suspect', doubt }] : []
  }

  #duplicate(message: string): GateAction[] {
    const doubt: Doubt = { code: 'SIGNER_DUPLICATE', message }
    return [{ type: 'suspect', doubt }, ...this.#stop(doubt)]
  }

  #stop({ code, message }: Doubt): GateAction[] {
    const doubt = { code, message: `${message}; ${remedy(code)}` }
    this.#state = { kind: 'stopped', doubt }
    return [{ type: 'stop', doubt }, { type: 'changed' }]
  }
}

function behind(what: string): Doubt {
  return { code: 'SIGNER_BEHIND', message: `${what} is not in the signer's log` }
}

/** Its key may have been used elsewhere before, for the chain is under way. */
function newcomer(tip: number): Doubt {
  return {
    code: 'SIGNER_MISSING',
    message: `nothing is known here of what this key has signed, and the chain is at ${tip}`
  }
}
