import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { CheckedHeader } from '../../src/chain/check-header.ts'
import { inclusionProof } from '../../src/chain/merkle-proof.ts'
import { toHex, utf8 } from '../../src/codec/bytes.ts'
import { hasCode } from '../../src/error.ts'
import type { Conflict } from '../../src/ledger/conflict.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { LightChain, type LightChainOptions, type ProvenHeader } from '../../src/light/light-chain.ts'
import { silentLog } from '../../src/log.ts'
import { bytesKey, heightKey, TABLE } from '../../src/store/keys.ts'
import { ChainMaker, chainInMemory } from '../support/chain-maker.ts'
import { runs } from '../support/runs.ts'
import { tempDir } from '../support/temp-dir.ts'
import { checkedHeader, leavesOf, peaksOver, remade, trustedHeaders } from '../support/trusted-headers.ts'

const BLOCKS = 60
const SPEC = { eventsPerBlock: 1, seed: 61, params: { snapshotInterval: 10 } }
const chain = chainInMemory(BLOCKS, SPEC)
const { maker, genesis } = chain
const bytes = trustedHeaders(chain)
const headers = bytes.map((one) => checkedHeader(maker, one))
const leaves = leavesOf(chain)
const other = new Uint8Array(32).fill(7)
const header = (height: number) => headers[height - 1] as CheckedHeader
const upTo = (from: number, to: number) => headers.slice(from - 1, to)
const peaks = (height: number) => peaksOver(leaves, height)
const path = (index: number, size: number) => inclusionProof(leaves.slice(0, size), index)
const proven = (height: number, anchorHeight: number): ProvenHeader => ({
  header: header(height),
  anchorHeight,
  path: path(height, anchorHeight)
})
/** The same heights by the same validators, with other events. */
const fork = trustedHeaders(chainInMemory(BLOCKS, { ...SPEC, eventsPerBlock: 2 })).map((one) =>
  checkedHeader(maker, one)
)

async function open(options: Partial<LightChainOptions> = {}): Promise<LightChain> {
  const made = await LightChain.open({ path: tempDir(), genesis, log: silentLog, ...options })
  onTestFinished(() => made.close())
  return made
}

async function reopened(made: LightChain, at: string, options: Partial<LightChainOptions> = {}): Promise<LightChain> {
  await made.close()
  return open({ path: at, ...options })
}

/** Rows of heights 1 … BLOCKS; undefined: not held. */
async function rows(made: LightChain): Promise<(string | undefined)[]> {
  const each = await Promise.all(headers.map(({ height }) => made.trustedAt(height)))
  return each.map((row) => row && toHex(row))
}

const heldHeights = (made: LightChain) =>
  made.held.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i))

describe('following header by header', () => {
  it('keeps each as it came, tells of each once, and goes on after a restart', async () => {
    const at = tempDir()
    const made = await open({ path: at })
    const heights: number[] = []
    made.on('finalized', (event) => {
      heights.push(event.header.height)
      throw new Error('a listener that fails')
    })
    expect(made.tip.height).toBe(0)
    expect(await made.apply(upTo(1, 25))).toEqual({ applied: 25 })
    expect(await made.apply(upTo(20, 30))).toEqual({ applied: 5 })
    expect(heights).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
    const again = await reopened(made, at)
    expect(again.tip).toEqual(made.tip)
    expect(again.held).toEqual([{ from: 1, to: 30 }])
    expect(await again.apply(upTo(31, BLOCKS))).toEqual({ applied: 30 })
    expect(again.tip.mmrRoot).toEqual(maker.head.tip.mmrRoot)
    expect(await rows(again)).toEqual(bytes.map(toHex))
    expect(await again.headerAt(7)).toEqual({ header: header(7).header, hash: header(7).hash })
    expect((await again.headerAt(0))?.hash).toEqual(header(1).header.parentHash)
    expect(await again.headerAt(BLOCKS + 1)).toBeUndefined()
    expect(await again.trustedAt(0)).toBeUndefined()
  })

  it('stops at the first bad one; those before it are kept, those after it change nothing', async () => {
    const made = await open()
    const bad = checkedHeader(maker, remade(maker, bytes[9] as Uint8Array, { header: { timestamp: 1 } }))
    const result = await made.apply([...upTo(1, 9), bad, ...upTo(11, 12)])
    expect(result).toMatchObject({ applied: 9, failure: { index: 9, failure: { code: 'BAD_TIMESTAMP' } } })
    expect(made.tip.hash).toEqual(header(9).hash)
    expect(await made.apply(upTo(10, 12))).toEqual({ applied: 3 })
  })

  it('takes calls one after the other', async () => {
    const made = await open()
    const calls = [made.apply(upTo(1, 20)), made.apply(upTo(21, 40)), made.apply(upTo(5, 60))]
    expect(await Promise.all(calls)).toEqual([{ applied: 20 }, { applied: 20 }, { applied: 20 }])
  })
})

describe('skipping', () => {
  it('all headers, or skips and the gaps filled later: the same tip and the same bytes', async () => {
    const plan = fc.record({
      stops: fc.uniqueArray(fc.integer({ min: 1, max: BLOCKS - 1 }), { minLength: 1, maxLength: 5 }),
      start: fc.integer({ min: 0, max: 10 }),
      order: fc.shuffledSubarray(
        Array.from({ length: BLOCKS }, (_, i) => i + 1),
        { minLength: BLOCKS }
      )
    })
    const all = await open()
    await all.apply(headers)
    const expected = await rows(all)
    await fc.assert(
      fc.asyncProperty(plan, async ({ stops, start, order }) => {
        const at = tempDir()
        let made = await open({ path: at })
        if (start > 0) expect(await made.openAt(header(start), peaks(start))).toBeUndefined()
        for (const stop of [...stops.sort((a, b) => a - b), BLOCKS]) {
          const { height } = made.tip
          if (stop > height) expect(await made.skip(header(stop), peaks(stop), path(height, stop))).toBeUndefined()
        }
        expect(made.tip).toEqual(all.tip)
        made = await reopened(made, at)
        expect(made.tip).toEqual(all.tip)
        const missing = order.filter((height) => height < BLOCKS)
        for (let i = 0; i < missing.length; i += 7) {
          const some = missing.slice(i, i + 7).map((height) => proven(height, BLOCKS))
          expect((await made.insertProven(some)).failure).toBeUndefined()
        }
        expect(await rows(made)).toEqual(expected)
        expect(made.held).toEqual([{ from: 1, to: BLOCKS }])
        const again = await reopened(made, at)
        expect(await rows(again)).toEqual(expected)
        await again.close()
      }),
      runs(8)
    )
  })

  it('leaves a gap that is shown, and refuses what is not proven', async () => {
    const made = await open()
    await made.apply(upTo(1, 10))
    expect((await made.skip(header(40), peaks(40), path(9, 40)))?.code).toBe('BAD_PARENT')
    expect((await made.skip(header(40), peaks(39), path(10, 40)))?.code).toBe('BAD_MMR_ROOT')
    expect(made.tip.height).toBe(10)
    expect(await made.skip(header(40), peaks(40), path(10, 40))).toBeUndefined()
    expect(await made.skip(header(40), peaks(40), path(10, 40))).toBeUndefined()
    expect(made.held).toEqual([
      { from: 1, to: 10 },
      { from: 40, to: 40 }
    ])
    expect(await made.headerAt(20)).toBeUndefined()
    const few = checkedHeader(maker, remade(maker, bytes[19] as Uint8Array, { signers: [0, 1] }))
    const lied = checkedHeader(maker, remade(maker, bytes[19] as Uint8Array, { mmrRoot: other }))
    const refused: [ProvenHeader, string][] = [
      [{ ...proven(20, 40), path: path(21, 40) }, 'BAD_MMR_ROOT'],
      [{ ...proven(20, 40), header: few }, 'COMMIT_TOO_FEW'],
      [{ ...proven(20, 40), header: lied }, 'BAD_MMR_ROOT']
    ]
    for (const [i, [one, code]] of refused.entries()) {
      expect(await made.insertProven([proven(12 + i, 40), one])).toMatchObject({
        applied: 1,
        failure: { index: 1, failure: { code } }
      })
      expect(await made.trustedAt(20)).toBeUndefined()
    }
    expect(heldHeights(made)).toEqual([...Array.from({ length: 10 }, (_, i) => i + 1), 12, 13, 14, 40])
  })

  it('that comes when the tip or the anchor is another by now is nobody’s fault, and changes nothing', async () => {
    const made = await open()
    await made.apply(upTo(1, 10))
    const late = made.skip(header(40), peaks(40), path(9, 40), header(9))
    await expect(late).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'the tip has moved' })
    expect(made.tip.height).toBe(10)
    expect(await made.skip(header(40), peaks(40), path(10, 40), header(10))).toBeUndefined()
    await expect(made.insertProven([proven(20, 39)])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('a checkpoint', () => {
  it('is where it begins, and stays', async () => {
    const at = tempDir()
    const made = await open({ path: at })
    const lied = checkedHeader(maker, remade(maker, bytes[29] as Uint8Array, { mmrRoot: other }))
    expect((await made.openAt(lied, peaks(30)))?.code).toBe('BAD_MMR_ROOT')
    expect((await made.openAt(header(30), peaks(29)))?.code).toBe('BAD_MMR_ROOT')
    expect(made.checkpoint).toBeUndefined()
    expect(await made.openAt(header(30), peaks(30))).toBeUndefined()
    expect(await made.apply(upTo(31, 35))).toEqual({ applied: 5 })
    const again = await reopened(made, at)
    expect(again.checkpoint).toEqual({ height: 30, hash: header(30).hash })
    expect(again.held).toEqual([{ from: 30, to: 35 }])
    expect(await again.openAt(header(30), peaks(30))).toBeUndefined()
    expect(await again.openAt(header(50), peaks(50))).toMatchObject({
      code: 'BAD_HEIGHT',
      message: expect.stringContaining('go up to 35 already')
    })
    // Below it nothing is known: a header there is neither taken nor refused.
    expect(await again.apply(upTo(28, 36))).toEqual({ applied: 1 })
    expect(await again.trustedAt(29)).toBeUndefined()
  })
})

describe('pruning', () => {
  it('keeps the newest and the checkpoint, of a long chain in parts', async () => {
    const at = tempDir()
    const made = await open({ path: at, keepHeaders: 10 })
    await made.openAt(header(5), peaks(5))
    for (let from = 6; from <= 50; from += 7) await made.apply(upTo(from, Math.min(50, from + 6)))
    expect(made.held).toEqual([
      { from: 5, to: 5 },
      { from: 41, to: 50 }
    ])
    expect((await rows(made)).filter((row) => row !== undefined)).toHaveLength(11)
    // Checked, and not kept again.
    expect(await made.insertProven([proven(20, 50)])).toEqual({ applied: 1 })
    expect(await made.trustedAt(20)).toBeUndefined()
    const fewer = await reopened(made, at, { keepHeaders: 3 })
    expect(await fewer.apply(upTo(51, 51))).toEqual({ applied: 1 })
    expect(heldHeights(fewer)).toEqual([5, 49, 50, 51])
    const all = await reopened(fewer, at)
    expect(await all.insertProven([proven(20, 51)])).toEqual({ applied: 1 })
    expect(heldHeights(all)).toEqual([5, 20, 49, 50, 51])
  })
})

describe('two certified headers for one height', () => {
  const cases: Record<string, { ours: number; theirs: () => CheckedHeader[]; height: number; what: RegExp }> = {
    'at a trusted height': {
      ours: 12,
      theirs: () => [fork[6] as CheckedHeader],
      height: 7,
      what: /^two blocks are certified at height 7/
    },
    'the next, on another parent': {
      ours: 12,
      theirs: () => [fork[12] as CheckedHeader],
      height: 12,
      what: /^two blocks stand certified at height 12/
    },
    'after good ones': {
      ours: 5,
      theirs: () => [...upTo(6, 9), fork[9] as CheckedHeader],
      height: 9,
      what: /^two blocks stand certified at height 9/
    }
  }
  for (const [name, { ours, theirs, height, what }] of Object.entries(cases)) {
    it(`${name}: both are kept, and nothing is taken from then on, also after a restart`, async () => {
      const at = tempDir()
      const made = await open({ path: at })
      await made.apply(upTo(1, ours))
      const seen: Conflict[] = []
      made.on('conflict', (conflict) => seen.push(conflict))
      await expect(made.apply(theirs())).rejects.toMatchObject({ code: 'CONFLICTING_FINALITY' })
      expect(seen).toMatchObject([{ height, validators: ['v0', 'v1', 'v2'], description: expect.stringMatching(what) }])
      const last = theirs().at(-1) as CheckedHeader
      const [record] = await made.evidence()
      expect(record).toMatchObject({ kind: 'conflict', height })
      expect(record?.parts.map(toHex)).toEqual([toHex(bytes[height - 1] as Uint8Array), toHex(last.bytes)])
      const { tip } = made
      for (const chainNow of [made, await reopened(made, at)]) {
        expect(chainNow.conflict).toEqual(seen[0])
        expect(chainNow.tip).toEqual(tip)
        if (chainNow === made) continue
        await expect(chainNow.apply(upTo(1, 40))).rejects.toMatchObject({ code: 'CONFLICTING_FINALITY' })
        await expect(chainNow.skip(header(40), peaks(40), path(tip.height, 40))).rejects.toMatchObject({
          code: 'CONFLICTING_FINALITY'
        })
        expect(await rows(chainNow)).toEqual(bytes.map((one, i) => (i < tip.height ? toHex(one) : undefined)))
      }
    })
  }

  it('is seen too when it is skipped to, begun at or inserted', async () => {
    const rival = fork[6] as CheckedHeader
    const ways: ((made: LightChain) => Promise<unknown>)[] = [
      (made) => made.skip(rival, [], []),
      (made) => made.openAt(rival, []),
      (made) => made.insertProven([{ ...proven(7, 12), header: rival }]),
      (made) => made.skip(fork[12] as CheckedHeader, [], [])
    ]
    for (const way of ways) {
      const made = await open()
      await made.apply(upTo(1, 12))
      await expect(way(made)).rejects.toMatchObject({ code: 'CONFLICTING_FINALITY' })
    }
  })

  it('without a certificate it is only a bad header, and on block 0 nobody signed twice', async () => {
    const made = await open()
    await made.apply(upTo(1, 12))
    for (const index of [6, 12]) {
      const few = checkedHeader(maker, remade(maker, (fork[index] as CheckedHeader).bytes, { signers: [0, 1] }))
      const { failure } = await made.apply([few])
      expect(['COMMIT_TOO_FEW', 'BAD_PARENT']).toContain(failure?.failure.code)
    }
    expect(made.conflict).toBeUndefined()
    const fresh = await open()
    const orphan = checkedHeader(maker, remade(maker, bytes[0] as Uint8Array, { header: { parentHash: other } }))
    expect(await fresh.apply([orphan])).toMatchObject({ failure: { failure: { code: 'BAD_PARENT' } } })
    expect(fresh.conflict).toBeUndefined()
  })
})

describe('a home that is not its own is refused in one line', () => {
  const refusal = async (work: Promise<unknown>) => {
    const error = await work.then(
      () => undefined,
      (thrown: { code: string; message: string }) => thrown
    )
    expect(error?.message).not.toContain('\n')
    return error
  }

  it('of another genesis', async () => {
    const at = tempDir()
    await (await open({ path: at })).close()
    const { genesis: foreign } = new ChainMaker({ seed: 62 })
    const error = await refusal(LightChain.open({ path: at, genesis: foreign, log: silentLog }))
    expect(error).toMatchObject({ code: 'STORE_OTHER_CHAIN' })
  })

  it('with blocks in it, and a full node refuses headers', async () => {
    const [full, light] = [tempDir(), tempDir()]
    const options = { genesis, log: silentLog }
    await (await Ledger.open({ path: full, ...options })).close()
    await (await open({ path: light })).close()
    const error = await refusal(LightChain.open({ path: full, ...options }))
    expect(error).toMatchObject({
      code: 'STORE_OTHER_MODE',
      message: expect.stringContaining("holds a full node's blocks")
    })
    const back = await refusal(Ledger.open({ path: light, ...options }))
    expect(back).toMatchObject({
      code: 'STORE_OTHER_MODE',
      message: expect.stringContaining("holds a light node's headers")
    })
    await (await Ledger.open({ path: full, ...options })).close()
  })

  it('that is not there, if none is to be made', async () => {
    const at = join(tempDir(), 'none')
    expect(await refusal(LightChain.open({ path: at, genesis, log: silentLog, create: false }))).toMatchObject({
      code: 'STORE_MISSING'
    })
  })
})

describe('damage', () => {
  it('of the tip, its peaks or its rows is found when it is opened', async () => {
    const at = tempDir()
    const made = await open({ path: at })
    await made.apply(upTo(1, 21))
    await made.close()
    const meta = (name: string) => bytesKey(TABLE.META, utf8(name))
    const damages: [string, Uint8Array, ((row: Uint8Array) => Uint8Array) | undefined][] = [
      ['no tip header', heightKey(TABLE.HEADER, 21), undefined],
      ['a bit of the tip header', heightKey(TABLE.HEADER, 21), flipped],
      ['another header at the tip', heightKey(TABLE.HEADER, 21), () => bytes[19] as Uint8Array],
      ['a bit of the tip', meta('tip'), flipped],
      ['a bit of the peaks', meta('peaks'), flipped],
      ['a peak too few', meta('peaks'), (row) => row.subarray(32)],
      ['half a peak', meta('peaks'), (row) => row.subarray(16)],
      ['no peaks', meta('peaks'), undefined],
      ['heights that end elsewhere', meta('held'), flipped],
      ['half a range', meta('held'), (row) => row.subarray(0, 5)]
    ]
    for (const [what, key, change] of damages) {
      const copy = join(tempDir(), 'copy')
      cpSync(at, copy, { recursive: true })
      const level = new ClassicLevel<Uint8Array, Uint8Array>(copy, { keyEncoding: 'view', valueEncoding: 'view' })
      await level.open()
      const row = (await level.get(key)) as Uint8Array
      await (change === undefined ? level.del(key) : level.put(key, change(new Uint8Array(row))))
      await level.close()
      await expect(LightChain.open({ path: copy, genesis, log: silentLog }), what).rejects.toMatchObject({
        code: 'STORE_CORRUPT'
      })
    }
    expect((await open({ path: at })).tip.height).toBe(21)
  })

  function flipped(row: Uint8Array): Uint8Array {
    const at = row.byteLength - 1
    return row.with(at, (row[at] as number) ^ 1)
  }
})

it('whichever write fails, what was trusted stays and nothing half is left', async () => {
  for (let failing = 2; failing < 8; failing++) {
    const at = tempDir()
    let writes = 0
    const made = await open({
      path: at,
      beforeWrite: () => {
        if (++writes === failing) throw new Error('no space left on device')
      }
    })
    let failed = false
    for (let from = 1; from <= 40; from += 10) {
      try {
        await made.apply(upTo(from, from + 9))
      } catch (error) {
        expect(hasCode(error, 'STORE_FAILED')).toBe(true)
        failed = true
        await expect(made.apply(upTo(from, 60))).rejects.toThrow('no space left')
        break
      }
    }
    expect(failed).toBe(failing <= 5)
    const { height } = made.tip
    expect(height).toBe(Math.min(40, (failing - 2) * 10))
    const again = await reopened(made, at)
    expect(again.tip.height).toBe(height)
    expect(await again.apply(headers)).toEqual({ applied: BLOCKS - height })
    await again.close()
  }
})
