import { describe, expect, it } from 'vitest'
import type { CheckedManifest } from '../../../src/chain/snapshot-manifest.ts'
import {
  chooseManifest,
  type Fruitless,
  type Gathering,
  giveUp,
  type SearchedPeer
} from '../../../src/sync/warp/choice.ts'

const CHECKPOINT = { height: 100, hash: new Uint8Array(32) }

function peer(lack: SearchedPeer['lack'], more: Partial<SearchedPeer['peer']> = {}): SearchedPeer {
  return { lack, peer: { id: 'a', height: 200, earliest: 1, syncing: false, ...more } }
}

function ended(sinceMs: number, peers: readonly SearchedPeer[], more: Partial<Fruitless> = {}) {
  return giveUp({ checkpoint: CHECKPOINT, height: 0, peers, sinceMs, giveUpMs: 6000, lastWords: '', ...more })?.code
}

describe('a search without an offer', () => {
  it('ends when its time is up and all have said that they have nothing', () => {
    expect(ended(5000, [peer('nothing')])).toBeUndefined()
    expect(ended(7000, [peer('nothing')])).toBe('NO_SNAPSHOT')
  })

  it('waits longer, and not for ever, while somebody is busy or silent', () => {
    for (const lack of ['busy', undefined] as const) {
      expect(ended(7000, [peer('nothing'), peer(lack)])).toBeUndefined()
      expect(ended(31_000, [peer('nothing'), peer(lack)])).toBe('NO_SNAPSHOT')
    }
  })

  it('waits for peers that have no chain to speak of, or sync themselves', () => {
    expect(ended(60_000, [peer('nothing', { height: 0 })])).toBeUndefined()
    expect(ended(60_000, [peer('nothing', { height: 50, syncing: true })])).toBeUndefined()
    expect(ended(60_000, [])).toBeUndefined()
  })

  it('waits where a full sync would be of no use: nobody holds the next block', () => {
    expect(ended(60_000, [peer('nothing', { earliest: 35 })])).toBeUndefined()
    expect(ended(60_000, [peer('nothing', { earliest: 35 })], { height: 34 })).toBe('NO_SNAPSHOT')
    expect(ended(60_000, [peer('nothing', { earliest: 35 }), peer('nothing')])).toBe('NO_SNAPSHOT')
  })

  it('ends for good when the chains of all are below the checkpoint, however busy they are', () => {
    expect(ended(7000, [peer('busy', { height: 99 })])).toBe('CHECKPOINT_UNAVAILABLE')
    expect(ended(7000, [peer('nothing', { height: 99 }), peer('nothing')])).toBe('NO_SNAPSHOT')
  })

  it('ends for good when snapshots are shown that do not go through the checkpoint', () => {
    expect(ended(7000, [peer('unproven'), peer('nothing')])).toBe('CHECKPOINT_UNPROVEN')
    expect(ended(7000, [peer('unproven', { earliest: 150 })])).toBe('CHECKPOINT_UNPROVEN')
    expect(ended(7000, [peer('unproven'), peer('busy')])).toBeUndefined()
  })
})

describe('of the snapshots that are offered', () => {
  const offer = (height: number) => ({ manifest: { height, id: new Uint8Array(32).fill(height) } as CheckedManifest })
  const chosen = (heights: readonly number[], more: Partial<Gathering>, held?: number) => {
    const gathering = { sinceMs: 0, gatherMs: 500, allAnswered: false, highest: 0, snapshotInterval: 10, ...more }
    return chooseManifest(heights.map(offer), held === undefined ? undefined : offer(held).manifest, gathering)?.height
  }

  it('the highest is taken when others have had their time', () => {
    expect(chosen([20, 30], { highest: 45, sinceMs: 499, allAnswered: true })).toBeUndefined()
    expect(chosen([20, 30], { highest: 45, sinceMs: 500 })).toBe(30)
    expect(chosen([], { highest: 45, sinceMs: 500 })).toBeUndefined()
  })

  it('one that no chain of those who are asked can have a newer than is taken at once', () => {
    expect(chosen([20, 30], { highest: 39 })).toBe(30)
    expect(chosen([20, 30], { highest: 30 })).toBe(30)
    expect(chosen([20, 30], { highest: 40 })).toBeUndefined()
  })

  it('before the heights of peers are known nothing is the newest', () => {
    expect(chosen([30], { highest: 0 })).toBeUndefined()
    expect(chosen([30], { highest: 29 })).toBeUndefined()
  })

  it('one of which chunks are here is taken first, and waited for', () => {
    expect(chosen([20, 30], { highest: 35 }, 20)).toBe(20)
    expect(chosen([30], { highest: 35, sinceMs: 4999 }, 20)).toBeUndefined()
    expect(chosen([30], { highest: 35, sinceMs: 500, allAnswered: true }, 20)).toBe(30)
    expect(chosen([30], { highest: 35, sinceMs: 5000 }, 20)).toBe(30)
  })
})
