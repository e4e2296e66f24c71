import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { HeaderChain, headerChainAt, underAnchor } from '../../src/chain/header-chain.ts'
import { inclusionProof, peaksInPath } from '../../src/chain/merkle-proof.ts'
import { ModelChain } from '../../src/ledger/verify/model-chain.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { runs } from '../support/runs.ts'
import {
  checkedHeader,
  type HeaderChanges,
  leavesOf,
  peaksOver,
  remade,
  trustedHeaders
} from '../support/trusted-headers.ts'

const BLOCKS = 70
const chain = chainInMemory(BLOCKS, { eventsPerBlock: 1, seed: 52, params: { snapshotInterval: 10 } })
const { maker, genesis, blocks } = chain
const bytes = trustedHeaders(chain)
const headers = bytes.map((one) => checkedHeader(maker, one))
const leaves = leavesOf(chain)
const other = new Uint8Array(32).fill(7)
const header = (height: number) => headers[height - 1] as (typeof headers)[number]

/** The oracle: the full node's head after `height` blocks. */
function headAt(height: number): ModelChain {
  const head = new ModelChain(genesis)
  for (const block of blocks.slice(0, height)) head.advance(block)
  return head
}

function followed(height: number): HeaderChain {
  const made = HeaderChain.atGenesis(genesis)
  for (let h = 1; h <= height; h++) {
    expect(made.check(header(h))).toBeUndefined()
    made.advance(header(h))
  }
  return made
}

const stateOf = ({ tip, peaks }: HeaderChain) => ({ tip, peaks })

/** A path of block `index` under header `size`, and the peaks before that. */
const path = (index: number, size: number) => inclusionProof(leaves.slice(0, size), index)
const peaks = (count: number) => peaksOver(leaves, count)

function chainAt(height: number): HeaderChain {
  const made = headerChainAt(genesis, header(height), peaks(height))
  if ('code' in made) throw new Error(made.message)
  return made
}

describe('following headers', () => {
  it('comes to the tips and roots that a full node has', () => {
    const head = new ModelChain(genesis)
    const made = HeaderChain.atGenesis(genesis)
    expect(made.tip).toEqual(head.tip)
    for (const block of blocks) {
      const next = header(block.height)
      expect(made.check(next)).toBeUndefined()
      made.advance(next)
      head.advance(block)
      expect(made.tip).toEqual(head.tip)
      expect(made.peaks).toEqual(peaks(block.height + 1))
    }
  })

  it('advances right also without a check before, and after one of another header', () => {
    const made = followed(5)
    made.check(header(6))
    made.check(header(9))
    made.advance(header(6))
    made.advance(header(7))
    expect(stateOf(made)).toEqual(stateOf(followed(7)))
  })

  const AT = 21
  const faults: Record<string, () => HeaderChanges> = {
    BAD_HEIGHT: () => ({ header: { height: AT + 1 } }),
    BAD_PARENT: () => ({ header: { parentHash: other } }),
    BAD_VALIDATORS_HASH: () => ({ header: { validatorsHash: other } }),
    'BAD_MMR_ROOT (before)': () => ({ header: { mmrRoot: other } }),
    'BAD_MMR_ROOT (after)': () => ({ mmrRoot: other }),
    BAD_STATE_ROOT: () => ({ header: { stateRoot: other } }),
    BAD_TIMESTAMP: () => ({ header: { timestamp: header(AT - 1).header.timestamp } }),
    BAD_SEAL: () => ({ seal: new Uint8Array(64).fill(1), mmrRoot: header(AT).claimedRoot }),
    COMMIT_TOO_FEW: () => ({ signers: [0, 1] })
  }
  describe('each fault has its code, and changes nothing', () => {
    let made: HeaderChain
    beforeEach(() => {
      made = followed(AT - 1)
    })
    for (const [what, changes] of Object.entries(faults)) {
      it(what, () => {
        const before = stateOf(made)
        const bad = checkedHeader(maker, remade(maker, bytes[AT - 1] as Uint8Array, changes()))
        expect(made.check(bad)?.code).toBe(what.replace(/ .*/, ''))
        expect(stateOf(made)).toEqual(before)
        expect(made.check(header(AT))).toBeUndefined()
      })
    }

    it('a height that was, or is to come', () => {
      for (const height of [AT - 1, AT + 1, AT + 9]) expect(made.check(header(height))?.code).toBe('BAD_HEIGHT')
    })
  })

  it('takes the state root of a snapshot height as the validators say', () => {
    const made = followed(19)
    const { stateRoot } = header(20).header
    expect(stateRoot).not.toEqual(header(19).header.stateRoot)
    expect(made.check(header(20))).toBeUndefined()
  })

  it('reports the first of several faults, in the order of a full node', () => {
    const made = followed(4)
    const bad = { header: { stateRoot: other, timestamp: 1 }, seal: new Uint8Array(64) }
    expect(made.check(checkedHeader(maker, remade(maker, bytes[4] as Uint8Array, bad)))?.code).toBe('BAD_STATE_ROOT')
  })
})

const heights = fc
  .uniqueArray(fc.integer({ min: 1, max: BLOCKS }), { minLength: 2, maxLength: 2 })
  .map((two) => two.sort((a, b) => a - b) as [number, number])

describe('beginning at a checkpoint', () => {
  it('comes to what a chain from block 0 comes to', () => {
    fc.assert(
      fc.property(heights, ([from, to]) => {
        const made = chainAt(from)
        for (let h = from + 1; h <= to; h++) {
          expect(made.check(header(h))).toBeUndefined()
          made.advance(header(h))
        }
        expect(made.tip).toEqual(headAt(to).tip)
        expect(made.peaks).toEqual(peaks(to + 1))
      }),
      runs(20)
    )
  })

  it('refuses peaks that are not the ones it commits to, a root that is not the one after it, and a header without a certificate', () => {
    const wrong = peaks(13).with(1, other)
    for (const bad of [wrong, peaks(12), [], [...peaks(13), other], peaks(13).map((peak) => peak.subarray(1))]) {
      expect(headerChainAt(genesis, header(13), bad)).toMatchObject({ code: 'BAD_MMR_ROOT' })
    }
    const claims = checkedHeader(maker, remade(maker, bytes[12] as Uint8Array, { mmrRoot: other }))
    expect(headerChainAt(genesis, claims, peaks(13))).toMatchObject({ code: 'BAD_MMR_ROOT' })
    const few = checkedHeader(maker, remade(maker, bytes[12] as Uint8Array, { signers: [0, 1] }))
    expect(headerChainAt(genesis, few, peaks(13))).toMatchObject({ code: 'COMMIT_TOO_FEW' })
  })
})

describe('skipping', () => {
  it('comes to the same tip and the same peaks as every header between does', () => {
    fc.assert(
      fc.property(heights, ([from, to]) => {
        const made = chainAt(from)
        expect(made.skip(header(to), peaks(to), path(from, to))).toBeUndefined()
        expect(made.tip).toEqual(headAt(to).tip)
        expect(made.peaks).toEqual(peaks(to + 1))
      }),
      runs(30)
    )
  })

  it('refuses each way in which the new tip or its proof can be wrong, and changes nothing', () => {
    const made = chainAt(9)
    const before = stateOf(made)
    const to = header(50)
    const proof = path(9, 50)
    const changed = (changes: HeaderChanges) => checkedHeader(maker, remade(maker, bytes[49] as Uint8Array, changes))
    const attempts: [string, () => ReturnType<HeaderChain['skip']>][] = [
      ['BAD_PARENT', () => made.skip(to, peaks(50), [])],
      ['BAD_PARENT', () => made.skip(to, peaks(50), path(8, 50))],
      ['BAD_PARENT', () => made.skip(to, peaks(50), [...proof, other])],
      ['BAD_MMR_ROOT', () => made.skip(to, peaks(49), proof)],
      ['BAD_MMR_ROOT', () => made.skip(changed({ mmrRoot: other }), peaks(50), proof)],
      ['BAD_MMR_ROOT', () => made.skip(changed({ header: { mmrRoot: other } }), peaks(50), proof)],
      ['COMMIT_TOO_FEW', () => made.skip(changed({ signers: [0] }), peaks(50), proof)],
      ['BAD_HEIGHT', () => made.skip(header(9), peaks(9), [])],
      ['BAD_HEIGHT', () => made.skip(header(3), peaks(3), [])],
      ...proof.map((_, i): [string, () => ReturnType<HeaderChain['skip']>] => [
        'BAD_PARENT',
        () => made.skip(to, peaks(50), proof.with(i, other))
      ])
    ]
    for (const [code, attempt] of attempts) {
      expect(attempt()?.code).toBe(code)
      expect(stateOf(made)).toEqual(before)
    }
  })
})

describe('a header under an anchor', () => {
  it('has the peaks before it in its path', () => {
    fc.assert(
      fc.property(heights, ([index, size]) => {
        expect(peaksInPath(index, size, path(index, size))).toEqual(peaks(index))
      }),
      runs(200)
    )
  })

  it('is taken with all that its sender claims, or with nothing', () => {
    fc.assert(
      fc.property(heights, ([height, anchor]) => {
        const under = (one: Uint8Array, proof = path(height, anchor)) =>
          underAnchor(genesis, checkedHeader(maker, one), header(anchor).header, proof)?.code
        const original = bytes[height - 1] as Uint8Array
        expect(under(original)).toBeUndefined()
        expect(under(original, [...path(height, anchor), other])).toBe('BAD_MMR_ROOT')
        expect(under(remade(maker, original, { mmrRoot: other }))).toBe('BAD_MMR_ROOT')
        expect(under(remade(maker, original, { header: { timestamp: 1 } }))).toBe('BAD_MMR_ROOT')
        expect(under(remade(maker, original, { signers: [0, 1] }))).toBe('COMMIT_TOO_FEW')
      }),
      runs(40)
    )
  })
})
