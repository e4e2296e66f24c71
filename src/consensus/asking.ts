/**
 * When a height has peers asked for what it lacks (protocol §7, Asking). Pubsub promises no delivery, so the progress of
 * consensus rests on this. Pure: part of the round machine, whose actions these are.
 *
 * Of each reason once a round, since there may be many messages that give it; and again and again while nothing comes of
 * a step.
 */
import type { Action, AskReason, Step } from './types.ts'

type Ask = Extract<Action, { type: 'ask' | 'ask-after' }>

export class Asking {
  /** Reasons of this round. */
  readonly #given = new Set<string>()
  #round = -1
  #step: Step = 'propose'
  /** In vain, in this step. */
  #asked = 0

  /** @param about what it is about: there may be several of one reason */
  ask(why: AskReason, about: string | number = ''): Ask[] {
    const reason = `${why}/${about}`
    if (this.#given.has(reason)) return []
    this.#given.add(reason)
    return [{ type: 'ask', why }]
  }

  /** A round began. */
  enter(): void {
    this.#given.clear()
  }

  /** Where the height stands. Whenever that changes there is time again for something to come of it. */
  at(round: number, step: Step): Ask[] {
    if (round === this.#round && step === this.#step) return []
    this.#round = round
    this.#step = step
    this.#asked = 0
    return [this.#after()]
  }

  due(): Ask[] {
    this.#asked++
    return [{ type: 'ask', why: 'stalled' }, this.#after()]
  }

  #after(): Ask {
    return { type: 'ask-after', round: this.#round, step: this.#step, asked: this.#asked }
  }
}
