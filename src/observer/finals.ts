import type { Topic } from '../network/types.ts'
import type { DecodedFinalized } from './decoded.ts'
import { HeightGaps, type HeightRange, type Sighting } from './height-gaps.ts'
import { Recent } from './recent.ts'

/** The topics whose messages are of one height each. */
export type HeightTopic = Exclude<Topic, 'events'>
export const HEIGHT_TOPICS: readonly HeightTopic[] = ['block', 'vote', 'finalized', 'header']

/** A commit of another block at a height that was seen to be final: validators are at fault. */
export type FinalSighting = Sighting | 'conflict'

export interface TopicGap extends HeightRange {
  readonly topic: HeightTopic
}

const MAX_HASHES = 4096

/** The heights of all topics, and what is known to be final of them: pure. */
export class Finals {
  readonly #gaps: Readonly<Record<HeightTopic, HeightGaps>>
  readonly #hashes = new Recent<string>(MAX_HASHES)
  #height = 0

  constructor(graceMs: number) {
    const gaps = (): HeightGaps => new HeightGaps(graceMs)
    this.#gaps = { block: gaps(), vote: gaps(), finalized: gaps(), header: gaps() }
  }

  /** The highest that is known. */
  get height(): number {
    return this.#height
  }

  /** Something proposed or voted for. */
  seen(topic: 'block' | 'vote', height: number): Sighting {
    return this.#gaps[topic].seen(height)
  }

  /** A block or header with its commit. @param now monotonic ms */
  finalized({ type, height, hash }: DecodedFinalized, now: number): FinalSighting {
    const sighting = this.#gaps[type].seen(height)
    this.certified(height, now)
    const before = this.#hashes.get(String(height))
    // Whoever repeats what is long final must not push out what is new.
    if (before === undefined && sighting !== 'old') this.#hashes.set(String(height), hash)
    return before === undefined || before === hash ? sighting : 'conflict'
  }

  /** A commit shows that this height is final. @param now monotonic ms */
  certified(height: number, now: number): void {
    if (height <= this.#height) return
    this.#height = height
    for (const topic of HEIGHT_TOPICS) this.#gaps[topic].final(height, now)
  }

  /** What is missed for sure by now. */
  settle(now: number): TopicGap[] {
    return this.#all((gaps) => gaps.settle(now))
  }

  /** What is missed, when nothing more will be heard. */
  end(now: number): TopicGap[] {
    return this.#all((gaps) => gaps.end(now))
  }

  #all(of: (gaps: HeightGaps) => HeightRange[]): TopicGap[] {
    return HEIGHT_TOPICS.flatMap((topic) => of(this.#gaps[topic]).map((range) => ({ topic, ...range })))
  }
}
