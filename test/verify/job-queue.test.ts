import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JobQueue } from '../../src/verify/job-queue.ts'
import type { Urgency } from '../../src/verify/messages.ts'
import { runs } from '../support/runs.ts'

interface Job {
  readonly id: number
  readonly urgency: Urgency
}

/** Those of one rank are done as they come. */
const RANKS: readonly (readonly Urgency[])[] = [['certified'], ['proposal'], ['vouched', 'later'], ['unvouched']]
const URGENCIES = RANKS.flat()
const rankOf = (urgency: Urgency): number => RANKS.findIndex((rank) => rank.includes(urgency))

/** The order in which jobs are to be begun, all of them there. */
function sorted(jobs: readonly Job[]): Job[] {
  return RANKS.flatMap((rank) => {
    const those = jobs.filter(({ urgency }) => rank.includes(urgency))
    return rank.includes('proposal') ? those.reverse() : those
  })
}

test('jobs are begun by urgency, proposals newest first, others as they came; what is cancelled never', () => {
  const job = fc.record({ urgency: fc.constantFrom(...URGENCIES), cancelled: fc.boolean() })
  fc.assert(
    fc.property(fc.array(job, { maxLength: 12 }), (list) => {
      const queue = new JobQueue<Job>()
      const jobs = list.map(({ urgency }, id) => ({ id, urgency }))
      for (const one of jobs) queue.add(one)
      for (const one of jobs) if (list[one.id]?.cancelled) expect(queue.cancel(one.id)).toBe(one)
      const begun: Job[] = []
      for (let next = queue.begin(); next !== undefined; next = queue.begin()) {
        begun.push(next)
        queue.end(next)
      }
      expect(begun).toEqual(sorted(jobs.filter(({ id }) => !list[id]?.cancelled)))
    }),
    runs(300)
  )
})

test('a job in work gives way to what is more urgent, and a proposal to a newer one; to nothing else', () => {
  for (const current of URGENCIES) {
    for (const urgency of URGENCIES) {
      for (const id of [1, 3]) {
        const queue = new JobQueue<Job>()
        queue.add({ id: 2, urgency: current })
        const begun = queue.begin() as Job
        queue.add({ id, urgency })
        const proposals = urgency === 'proposal' && current === 'proposal'
        const older = id < begun.id && rankOf(urgency) === rankOf(current) && !proposals
        if (older) continue // Those are begun in the order in which they came.
        const gives = rankOf(urgency) < rankOf(current) || (proposals && id > begun.id)
        expect(queue.begin(begun)?.id, `${urgency} ${id} while ${current} 2 is in work`).toBe(gives ? id : undefined)
      }
    }
  }
})

test('of a job in work it is known that nobody wants it; of one that is done nothing is kept', () => {
  const queue = new JobQueue<Job>()
  queue.add({ id: 1, urgency: 'later' })
  const job = queue.begin() as Job
  expect(queue.isWanted(job)).toBe(true)
  expect(queue.cancel(1)).toBeUndefined()
  expect(queue.isWanted(job)).toBe(false)
  queue.end(job)
  expect(queue.cancel(1)).toBeUndefined()
  queue.add({ id: 1, urgency: 'later' })
  expect(queue.isWanted(queue.begin() as Job)).toBe(true)
})
