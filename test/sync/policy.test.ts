import { describe, expect, it } from 'vitest'
import { failurePause, rangePause } from '../../src/sync/policy/backoff.ts'
import { choosePeer } from '../../src/sync/policy/choose-peer.ts'
import { type CutInput, cutBlocks, shareBytes } from '../../src/sync/policy/cut.ts'
import { BLOCKS, HEADERS, type RangeKind } from '../../src/sync/policy/kind.ts'
import { readyLimit } from '../../src/sync/policy/ready.ts'
import { lags } from '../../src/sync/policy/second-copy.ts'
import { BlockWeight, heldBytes } from '../../src/sync/policy/weight.ts'
import { seeded } from './support/random.ts'

const DEFAULTS: CutInput = {
  missing: 10_000,
  peers: 4,
  bytesPerBlock: undefined,
  rate: undefined,
  answerBytes: undefined,
  shareBytes: 4 << 20
}
const cut = (input: Partial<CutInput>, kind?: RangeKind) => cutBlocks({ ...DEFAULTS, ...input }, kind)

describe('how many blocks a range asks for', () => {
  it('starts with min(64, ⌈missing / 2·peers⌉), at least 4', () => {
    expect(cut({})).toBe(64)
    expect(cut({ missing: 100, peers: 4 })).toBe(13)
    expect(cut({ missing: 20, peers: 5 })).toBe(4)
    expect(cut({ missing: 3, peers: 5 })).toBe(3)
  })

  it('goes by bytes once blocks have been weighed', () => {
    expect(cut({ bytesPerBlock: 24_000 })).toBe(32)
    expect(cut({ bytesPerBlock: 12_000 })).toBe(64)
    expect(cut({ bytesPerBlock: 1_000_000 })).toBe(BLOCKS.least)
    expect(cut({ bytesPerBlock: 300 })).toBe(BLOCKS.most)
  })

  it('asks a slow peer, or one that cut its last answer short, for less', () => {
    expect(cut({ bytesPerBlock: 1000, rate: 50_000 })).toBe(96)
    expect(cut({ bytesPerBlock: 1000, answerBytes: 20_000 })).toBe(20)
    expect(cut({ bytesPerBlock: 1000, shareBytes: 30_000 })).toBe(30)
  })

  it('asks for more headers, as far as one request may', () => {
    const headers = (input: Partial<CutInput>) => cut(input, HEADERS)
    expect(headers({})).toBe(256)
    expect(headers({ bytesPerBlock: 800 })).toBe(1024)
    expect(headers({ bytesPerBlock: 2000 })).toBe(512)
    expect(headers({ missing: 100, peers: 20 })).toBe(16)
  })

  it('shares the last heights out', () => {
    expect(cut({ bytesPerBlock: 300, missing: 200, peers: 4 })).toBe(25)
  })
})

describe('the share of a request in the look-ahead', () => {
  const MIB = 1 << 20

  it('lets all requests be out at once, with as much behind each of them', () => {
    for (const slots of [1, 2, 16, 24]) {
      const bytes = shareBytes(64 * MIB, slots, MIB)
      expect(bytes).toBeGreaterThan(0)
      expect(slots * (2 * (bytes + MIB) + 2 * bytes)).toBeLessThanOrEqual(64 * MIB)
    }
  })

  it('stays worth a stream with more peers than there is room for', () => {
    expect(shareBytes(64 * MIB, 1000, MIB)).toBeGreaterThanOrEqual(128 * 1024)
    expect(shareBytes(MIB, 2, MIB)).toBeLessThan(0)
    expect(cut({ bytesPerBlock: 1000, shareBytes: -1 })).toBe(BLOCKS.least)
  })
})

describe('how much may be ready when a peer is asked', () => {
  const MIB = 1 << 20

  it('is little for a fast peer and one not measured yet: its answer is here at once', () => {
    expect(readyLimit({ rate: undefined, active: 0 }, 64 * MIB)).toBe(8 * MIB)
    expect(readyLimit({ rate: 100 * MIB, active: 1 }, 64 * MIB)).toBeLessThan(9 * MIB)
  })

  it('is more the longer its answer takes, up to half of the bound', () => {
    expect(readyLimit({ rate: 4 * MIB, active: 0 }, 64 * MIB)).toBe(16 * MIB)
    expect(readyLimit({ rate: 4 * MIB, active: 1 }, 64 * MIB)).toBe(24 * MIB)
    expect(readyLimit({ rate: 1, active: 0 }, 64 * MIB)).toBe(32 * MIB)
    expect(readyLimit({ rate: 1, active: 0 }, 8 * MIB)).toBe(4 * MIB)
  })
})

describe('the choice of a peer', () => {
  const random = seeded(1)

  it('tries idle peers that are not measured yet first', () => {
    const peers = [
      { id: 'fast', rate: 1e6, active: 0 },
      { id: 'new', rate: undefined, active: 0 },
      { id: 'asked', rate: undefined, active: 1 }
    ]
    for (let i = 0; i < 50; i++) expect(choosePeer(peers, random)?.id).toBe('new')
  })

  it('takes the one that gives a request most, and now and then another', () => {
    const peers = [
      { id: 'fast', rate: 3e6, active: 0 },
      { id: 'slow', rate: 1e6, active: 0 }
    ]
    const picks = Array.from({ length: 1000 }, () => choosePeer(peers, random)?.id)
    const slow = picks.filter((id) => id === 'slow').length
    expect(slow).toBeGreaterThan(10)
    expect(slow).toBeLessThan(100)
  })

  it('counts what is out already', () => {
    const peers = [
      { id: 'busy', rate: 3e6, active: 1 },
      { id: 'idle', rate: 2e6, active: 0 }
    ]
    expect(choosePeer(peers, () => 0.5)?.id).toBe('idle')
  })

  it('has none of none', () => {
    expect(choosePeer([], random)).toBeUndefined()
  })
})

describe('a lagging request', () => {
  const copy = { since: 1000, heardAt: 1000 }

  it('is one that is out for much longer than the other peer would need', () => {
    expect(lags(copy, 1_000_000, 1_000_000, 1000 + 3300)).toBe(false)
    expect(lags(copy, 1_000_000, 1_000_000, 1000 + 3500)).toBe(true)
    expect(lags(copy, 1_000_000, 10_000_000, 1000 + 800)).toBe(true)
  })

  it('needs patience when nothing is measured', () => {
    expect(lags(copy, 1, undefined, 1000 + 1400)).toBe(false)
    expect(lags(copy, 1, undefined, 1000 + 1600)).toBe(true)
  })
})

describe('weights and pauses', () => {
  it('count twice the wire form and a constant a block', () => {
    expect(heldBytes(3, 1000)).toBe(2000 + 3 * 1024)
  })

  it('follow growing blocks at once and shrinking ones slowly', () => {
    const weight = new BlockWeight()
    expect(weight.bytesPerBlock).toBeUndefined()
    weight.add(10, 1000)
    expect(weight.bytesPerBlock).toBe(100)
    weight.add(10, 100_000)
    expect(weight.bytesPerBlock).toBe(10_000)
    weight.add(10, 1000)
    expect(weight.bytesPerBlock).toBeGreaterThan(2000)
  })

  it('pauses grow and are bounded', () => {
    expect(failurePause(1)).toBe(250)
    expect(failurePause(2)).toBe(500)
    expect(failurePause(1000)).toBe(30_000)
    expect(rangePause(1000)).toBe(7_500)
  })
})
