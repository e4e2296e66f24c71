import { describe, expect, it } from 'vitest'
import { heldBytes } from '../../src/sync/policy/weight.ts'
import { Range, type RangeStatus } from '../../src/sync/range.ts'

const make = () => new Range(1, 100, 10)

/** A range walked to `status`: ten blocks of 1000 bytes from peer a, request 7. */
function at(status: RangeStatus): Range {
  const range = make()
  const walk: [RangeStatus, () => void][] = [
    ['AwaitingDownload', () => range.request(7, 'a', 5000, 10)],
    ['Downloading', () => range.received(7, 10, 10_000, 40_000, 20) && range.complete(7)],
    ['AwaitingVerify', () => range.verify()],
    ['Verifying', () => range.verified()],
    ['AwaitingCommit', () => range.commit()],
    ['Committing', () => range.committed()]
  ]
  for (const [state, step] of walk) {
    if (status === state) break
    step()
  }
  expect(range.status).toBe(status)
  return range
}

const STATUSES: RangeStatus[] = [
  'AwaitingDownload',
  'Downloading',
  'AwaitingVerify',
  'Verifying',
  'AwaitingCommit',
  'Committing',
  'Done'
]

const ARROWS: Record<string, { from: RangeStatus[]; to: RangeStatus; act: (range: Range) => unknown }> = {
  request: { from: ['AwaitingDownload', 'Downloading'], to: 'Downloading', act: (r) => r.request(8, 'b', 1, 0) },
  received: { from: ['Downloading'], to: 'Downloading', act: (r) => r.received(7, 1, 10, 5000, 0) },
  complete: {
    from: ['Downloading'],
    to: 'AwaitingVerify',
    act: (r) => {
      if (r.status === 'Downloading') r.received(7, 10, 10, 5000, 0)
      r.complete(7)
    }
  },
  fail: { from: ['Downloading'], to: 'AwaitingDownload', act: (r) => r.fail(7, 0, true) },
  verify: { from: ['AwaitingVerify'], to: 'Verifying', act: (r) => r.verify() },
  verified: { from: ['Verifying'], to: 'AwaitingCommit', act: (r) => r.verified() },
  weigh: { from: ['Verifying'], to: 'Verifying', act: (r) => r.weigh(5) },
  commit: { from: ['AwaitingCommit'], to: 'Committing', act: (r) => r.commit() },
  retryCommit: { from: ['Committing'], to: 'AwaitingCommit', act: (r) => r.retryCommit() },
  committed: { from: ['Committing'], to: 'Done', act: (r) => r.committed() },
  discard: {
    from: ['AwaitingVerify', 'Verifying', 'Committing'],
    to: 'AwaitingDownload',
    act: (r) => r.discard(0, true)
  },
  blame: { from: ['AwaitingDownload'], to: 'AwaitingDownload', act: (r) => r.blame('a', 0) }
}

describe('a range', () => {
  for (const [name, arrow] of Object.entries(ARROWS)) {
    for (const status of STATUSES) {
      const legal = arrow.from.includes(status)
      it(`${name}: ${status} → ${legal ? arrow.to : 'throws'}`, () => {
        const range = at(status)
        if (!legal) {
          expect(() => arrow.act(range)).toThrow(expect.objectContaining({ code: 'SYNC_WRONG_STATE' }))
          expect(range.status).toBe(status)
          return
        }
        arrow.act(range)
        expect(range.status).toBe(arrow.to)
      })
    }
  }

  it('holds what its requests reserve, then what its blocks weigh', () => {
    const range = make()
    expect(range.held).toBe(0)
    range.request(7, 'a', 5000, 0)
    range.request(8, 'b', 6000, 0)
    expect(range.held).toBe(11_000)
    range.received(7, 10, 900, 7000, 1)
    expect(range.held).toBe(13_000)
    expect(range.complete(7).map((copy) => copy.request)).toEqual([8])
    expect(range.held).toBe(heldBytes(10, 900))
    range.verify()
    range.verified()
    range.commit()
    expect(range.held).toBe(heldBytes(10, 900))
    range.committed()
    expect(range.held).toBe(0)
  })

  it('goes on with the other copy when one fails, and remembers who failed', () => {
    const range = make()
    range.request(7, 'a', 1, 0)
    range.request(8, 'b', 1, 0)
    range.fail(7, 5, true)
    expect(range.status).toBe('Downloading')
    range.fail(8, 6, false)
    expect(range.state).toEqual({ status: 'AwaitingDownload', failedBy: 'a', failedAt: 5, attempts: 1 })
  })

  it('does not ask one peer twice, nor complete early, nor take more than asked', () => {
    const range = make()
    range.request(7, 'a', 1, 0)
    expect(() => range.request(8, 'a', 1, 0)).toThrow(/twice at one peer/)
    expect(() => range.complete(7)).toThrow(/before the last block/)
    expect(() => range.received(7, 11, 1, 1, 0)).toThrow(/more than asked/)
    expect(() => range.copy(9)).toThrow(/request 9/)
  })

  it('is cut at its upper end, and the rest is to be downloaded', () => {
    const range = at('Verifying')
    const rest = range.cut(4, 2)
    expect([range.start, range.end, rest.start, rest.end]).toEqual([100, 103, 104, 109])
    expect([range.status, rest.status]).toEqual(['Verifying', 'AwaitingDownload'])
    range.weigh(4000)
    expect(range.held).toBe(heldBytes(4, 4000))
    expect(() => range.cut(0, 3)).toThrow(/cut at 0/)
    expect(() => range.cut(4, 3)).toThrow(/cut at 4/)
  })

  it('is not cut below what has come', () => {
    const range = make()
    range.request(7, 'a', 1, 0)
    range.received(7, 5, 100, 1, 0)
    expect(() => range.cut(4, 2)).toThrow(/received blocks/)
    expect(range.cut(5, 2).start).toBe(105)
  })

  it('keeps the memory of a failure when what waits is cut', () => {
    const range = make()
    range.blame('a', 3)
    expect(range.cut(4, 2).state).toMatchObject({ failedBy: 'a', failedAt: 3 })
  })
})
