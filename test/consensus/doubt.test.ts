/** Log and mark of any two moments: what was signed in a life is never signed again otherwise. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { VoteType } from '../../src/codec/generated/chain.ts'
import { assess, type LogState } from '../../src/consensus/doubt.ts'
import { Signer } from '../../src/consensus/signer.ts'
import { freshMark, type Mark, type MarkState } from '../../src/consensus/signer-mark.ts'
import type { SignerStore } from '../../src/consensus/signer-store.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { hasCode } from '../../src/error.ts'
import { runs } from '../support/runs.ts'
import { MemoryMark } from './support/marks.ts'
import { hashOf, prevote } from './support/messages.ts'

const key = keyPairFromSeed(new Uint8Array(32).fill(3))
const genesisHash = new Uint8Array(32).fill(9)
const options = { path: 'log', markPath: 'mark', key, genesisHash }

const paths = { log: 'LOG', mark: 'MARK' }
const counted = (sequence: number, digest = `d${sequence}`, previous = `d${sequence - 1}`): LogState => ({
  kind: 'counted',
  head: { sequence, digest, previous }
})
const EMPTY: LogState = { kind: 'empty' }
const UNCOUNTED: LogState = { kind: 'uncounted' }
const marked = (
  sequence: number,
  more: { copied?: boolean; torn?: boolean; doubt?: Mark['doubt'] } = {}
): MarkState => {
  const { doubt, copied = false, torn = false } = more
  const digest = sequence === 0 ? '' : `d${sequence}`
  return {
    kind: 'read',
    mark: { publicKey: '', genesisHash: '', sequence, digest, height: sequence, doubt },
    copied,
    torn
  }
}
const MISSING: MarkState = { kind: 'missing' }
const DAMAGED: MarkState = { kind: 'damaged', reason: 'its hash is wrong' }

describe('log and mark', () => {
  const cases: [string, LogState, MarkState, 'sound' | `${'behind' | 'doubt'} SIGNER_${string}`][] = [
    ['nothing signed', EMPTY, marked(0), 'sound'],
    ['neither', EMPTY, MISSING, 'doubt SIGNER_MISSING'],
    ['the same write', counted(5), marked(5), 'sound'],
    ['a crash between the two', counted(6), marked(5), 'sound'],
    ['a crash before the first mark', counted(1, 'd1', ''), marked(0), 'sound'],
    ['a crash that cut the mark off', counted(6), marked(5, { torn: true }), 'sound'],
    ['half a mark, and no write after it', counted(5), marked(5, { torn: true }), 'doubt SIGNER_MARK_DAMAGED'],
    ['no log', EMPTY, marked(5), 'behind SIGNER_BEHIND'],
    ['an older log', counted(4), marked(5), 'behind SIGNER_BEHIND'],
    ['a log of before there was a mark', UNCOUNTED, marked(5), 'behind SIGNER_BEHIND'],
    ['an older mark', counted(7), marked(5), 'doubt SIGNER_MARK_BEHIND'],
    ['the mark of a new home', counted(7), marked(0), 'doubt SIGNER_MARK_BEHIND'],
    ['the mark of a new home beside an older format', UNCOUNTED, marked(0), 'doubt SIGNER_MARK_BEHIND'],
    ['two lives of as many writes', counted(5, 'other'), marked(5), 'doubt SIGNER_BEHIND'],
    ['a next write of another life', counted(6, 'd6', 'other'), marked(5), 'doubt SIGNER_MARK_BEHIND'],
    ['no mark', counted(5), MISSING, 'doubt SIGNER_MARK_MISSING'],
    ['an older format, which had none', UNCOUNTED, MISSING, 'sound'],
    ['a damaged mark', counted(5), DAMAGED, 'doubt SIGNER_MARK_DAMAGED'],
    ['a damaged mark and no log', EMPTY, DAMAGED, 'doubt SIGNER_MARK_DAMAGED'],
    ['a copy', counted(5), marked(5, { copied: true }), 'doubt SIGNER_COPIED'],
    ['a copy without a log', EMPTY, marked(5, { copied: true }), 'doubt SIGNER_COPIED'],
    [
      'a doubt that was written down',
      counted(5),
      marked(5, { doubt: { code: 'SIGNER_DUPLICATE', message: 'seen' } }),
      'doubt SIGNER_DUPLICATE'
    ]
  ]
  it.each(cases)('%s', (_, log, mark, expected) => {
    const found = assess(log, mark, paths)
    expect(found.kind === 'sound' ? 'sound' : `${found.kind} ${found.doubt.code}`).toBe(expected)
  })
})

/** A disk whose every moment can be had again. */
class Disk implements SignerStore {
  rows: Map<string, Uint8Array>

  constructor(rows: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.rows = new Map(rows)
  }

  async entries(): Promise<[string, Uint8Array][]> {
    return [...this.rows]
  }

  async write(writes: Parameters<SignerStore['write']>[0]): Promise<void> {
    const rows = new Map(this.rows)
    for (const write of writes) {
      if (write.type === 'del') rows.delete(write.key)
      else rows.set(write.key, write.value)
    }
    this.rows = rows
  }

  async close(): Promise<void> {}
}

const SLOTS = [7, 8].flatMap((height) =>
  [0, 1].flatMap((round) => [VoteType.PREVOTE, VoteType.PRECOMMIT].map((type) => ({ height, round, type })))
)

/** Signs what it may of all slots, with hashes of that wish. */
async function signAll(signer: Signer, wish: string, upTo = SLOTS.length): Promise<Map<string, string>> {
  const signed = new Map<string, string>()
  for (const { height, round, type } of SLOTS.slice(0, upTo)) {
    const hash = hashOf(`${wish} ${height} ${round}`)
    const blockHash = new Uint8Array(Buffer.from(hash, 'hex'))
    const prevotes = [1, 2, 3].map((validator) => prevote(round, validator, hash).vote)
    const keep = type === VoteType.PRECOMMIT ? { hash, round, prevotes, block: new Uint8Array(9) } : undefined
    try {
      const vote = await signer.signVote({ type, height, round, blockHash }, keep)
      signed.set(`${height}/${round}/${type}`, toHex(vote.blockHash))
    } catch (error) {
      if (!hasCode(error, 'SIGNER_CONFLICT') && !hasCode(error, 'SIGNER_DOUBTED')) throw error
    }
  }
  return signed
}

interface Moment {
  readonly rows: ReadonlyMap<string, Uint8Array>
  readonly mark: Mark | undefined
}

/** A life, and what was on disk before and after each signature. */
async function life(upTo: number): Promise<{ moments: Moment[]; signed: Map<string, string> }> {
  const disk = new Disk()
  const mark = new MemoryMark(freshMark(key.publicKey, genesisHash))
  const signer = await Signer.over(disk, mark, options)
  const moments: Moment[] = [{ rows: disk.rows, mark: mark.mark }]
  let signed = new Map<string, string>()
  for (let count = 1; count <= upTo; count++) {
    signed = await signAll(signer, 'first', count)
    moments.push({ rows: disk.rows, mark: mark.mark })
  }
  return { moments, signed }
}

it('an older log under the newest mark signs above what the mark says, and nothing of it otherwise', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: SLOTS.length }), fc.nat(SLOTS.length), async (upTo, at) => {
      const { moments, signed } = await life(upTo)
      const log = moments[Math.min(at, upTo)]?.rows
      const signer = await Signer.over(new Disk(log), new MemoryMark(moments[upTo]?.mark), options)
      const again = await signAll(signer, 'second')
      for (const [slot, hash] of again) expect(signed.get(slot) ?? hash, slot).toBe(hash)
      expect(signer.doubt).toBeUndefined()
      const height = SLOTS[upTo - 1]?.height ?? 0
      expect(signer.lowest).toBeGreaterThanOrEqual(height)
      if (at < upTo) expect(signer.settledDoubt?.code).toBe('SIGNER_BEHIND')
    }),
    runs(60)
  )
})

it('rows that the disk lost, any of them, are a damaged log, or the log of a moment before', async () => {
  const { moments, signed } = await life(SLOTS.length - 1)
  const last = moments.at(-1) as Moment
  await fc.assert(
    fc.asyncProperty(fc.subarray([...last.rows.keys()], { minLength: 1 }), async (lost) => {
      const rows = new Map([...last.rows].filter(([name]) => !lost.includes(name)))
      try {
        const signer = await Signer.over(new Disk(rows), new MemoryMark(last.mark), options)
        const again = await signAll(signer, 'second')
        for (const [slot, hash] of again) expect(signed.get(slot) ?? hash, slot).toBe(hash)
      } catch (error) {
        expect(hasCode(error, 'SIGNER_CORRUPT'), String(error)).toBe(true)
      }
    }),
    runs(60)
  )
})

it('a mark of another moment leaves a doubt, in which nothing is signed until a height is named; then only above it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(SLOTS.length), fc.nat(SLOTS.length - 2), async (at, markAt) => {
      const { moments, signed } = await life(SLOTS.length)
      const mark = moments[markAt]?.mark
      const signer = await Signer.over(new Disk(moments[at]?.rows), new CopiedMark(mark), options)
      if (markAt > 0) {
        expect(signer.doubt?.code).toBe('SIGNER_COPIED')
        expect([...(await signAll(signer, 'second'))]).toEqual([])
        await signer.raise(8)
        expect(signer.doubt).toBeUndefined()
        for (const [slot, hash] of await signAll(signer, 'second')) expect(signed.get(slot) ?? hash).toBe(hash)
        expect(signer.lowest).toBe(9)
      }
    }),
    runs(60)
  )
})

class CopiedMark extends MemoryMark {
  override async read(): Promise<MarkState> {
    const state = await super.read()
    return state.kind === 'read' && state.mark.sequence > 0 ? { ...state, copied: true } : state
  }
}

it('a doubt outlives a restart, and ends with a height, or with somebody’s word where the log lacks nothing', async () => {
  const disk = new Disk()
  const mark = new MemoryMark(freshMark(key.publicKey, genesisHash))
  const first = await Signer.over(disk, mark, options)
  await signAll(first, 'first', 2)
  await first.suspect({ code: 'SIGNER_DUPLICATE', message: 'seen' })
  expect([...(await signAll(first, 'first'))]).toEqual([])
  const second = await Signer.over(disk, mark, options)
  expect(second.doubt).toEqual({ code: 'SIGNER_DUPLICATE', message: 'seen' })
  await expect(second.adopt()).rejects.toMatchObject({ code: 'SIGNER_CONFLICT' })
  await second.raise(20)
  const third = await Signer.over(disk, mark, options)
  expect(third.doubt).toBeUndefined()
  expect(third.lowest).toBe(21)

  mark.mark = undefined
  const fourth = await Signer.over(disk, mark, options)
  expect(fourth.doubt?.code).toBe('SIGNER_MARK_MISSING')
  await fourth.adopt()
  expect((await Signer.over(disk, mark, options)).doubt).toBeUndefined()
})
