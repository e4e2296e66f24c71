import type { CheckRequest, Urgency } from './messages.ts'

type Job = Pick<CheckRequest, 'id' | 'urgency'>

const RANKS: Readonly<Record<Urgency, number>> = { certified: 3, proposal: 2, vouched: 1, later: 1, unvouched: 0 }

/** What a thread has to do, and in which order. Ids rise. */
export class JobQueue<Item extends Job> {
  readonly #waiting = new Map<number, Item>()
  /** Jobs in work, and whether they are wanted: one that gave way is still there. */
  readonly #begun = new Map<number, { wanted: boolean }>()

  add(job: Item): void {
    this.#waiting.set(job.id, job)
  }

  /** Begins the job that is to be done next. With `current`, which is in work: only if that is to give way to it. */
  begin(current?: Job): Item | undefined {
    let best: Item | undefined
    for (const job of this.#waiting.values()) if (isBefore(job, best)) best = job
    if (best === undefined || (current !== undefined && !isBefore(best, current))) return undefined
    this.#waiting.delete(best.id)
    this.#begun.set(best.id, { wanted: true })
    return best
  }

  end({ id }: Job): void {
    this.#begun.delete(id)
  }

  /**
   * Nobody wants the job any more; one that is done already is no matter.
   * @returns the job if it was not begun: it never will be
   */
  cancel(id: number): Item | undefined {
    const begun = this.#begun.get(id)
    if (begun !== undefined) begun.wanted = false
    const job = this.#waiting.get(id)
    this.#waiting.delete(id)
    return job
  }

  isWanted({ id }: Job): boolean {
    return this.#begun.get(id)?.wanted === true
  }
}

/** A newer proposal before an older one, whose round is most likely over. */
function isBefore(job: Job, other: Job | undefined): boolean {
  if (other === undefined) return true
  const above = RANKS[job.urgency] - RANKS[other.urgency]
  if (above !== 0) return above > 0
  return job.urgency === 'proposal' ? job.id > other.id : job.id < other.id
}
