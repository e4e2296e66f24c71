import { expect, test } from 'vitest'
import type { ConsistencyProof, HeaderProof } from '../../../src/codec/generated/proof.ts'
import { verifyConsistencyProof } from '../../../src/light/verify/consistency-proof.ts'
import { verifyHeaderProof } from '../../../src/light/verify/header-proof.ts'
import { ServedChain } from '../support/served-chain.ts'

const chain = new ServedChain(12, { eventsPerBlock: 1 })
const other = new ServedChain(12, { eventsPerBlock: 1, seed: 2 })
const { genesis } = chain
const zero = new Uint8Array(32)

test('every header under every anchor above it, and the anchor itself', () => {
  for (let anchor = 0; anchor <= 12; anchor++) {
    for (let height = 0; height < anchor; height++) {
      const result = verifyHeaderProof(chain.headerProof(height, anchor), chain.anchor(anchor), genesis, { height })
      expect(result).toMatchObject({ ok: true, hash: chain.anchor(height).hash })
    }
    expect(verifyHeaderProof(chain.headerProof(anchor, 0), chain.anchor(anchor), genesis).ok).toBe(true)
  }
})

const headerCases: [string, string, () => ReturnType<typeof verifyHeaderProof>][] = [
  ['of another height', 'PROOF_WRONG_HEADER', () => header(chain.headerProof(4, 9), 9, { height: 5 })],
  ['of another chain', 'PROOF_HEADER', () => header(other.headerProof(4, 9), 9)],
  ['for another anchor', 'PROOF_WRONG_ANCHOR', () => header(chain.headerProof(4, 10), 9)],
  ['truncated', 'PROOF_MMR_PATH', () => header({ ...chain.headerProof(4, 9), mmrPath: [] }, 9)],
  ['padded', 'PROOF_MMR_PATH', () => header({ ...chain.headerProof(9, 0), mmrPath: [zero] }, 9)],
  ['changed', 'PROOF_MMR_PATH', () => header({ ...chain.headerProof(4, 9), header: changed(4) }, 9)],
  ['changed, its own anchor', 'PROOF_BLOCK_HASH', () => header({ ...chain.headerProof(9, 0), header: changed(9) }, 9)],
  ['without a header', 'PROOF_MALFORMED', () => header({ mmrPath: [], anchorHeight: 9 }, 9)]
]
test.each(headerCases)('a proof of a header %s: %s', (_, code, verification) => {
  const result = verification()
  expect(result.ok ? 'ok' : result.code).toBe(code)
})

test('the trees of every two headers', () => {
  for (let to = 0; to <= 12; to++) {
    for (let from = 0; from <= to; from++) expect(consistency(chain.consistencyProof(from, to), from, to)).toBe('ok')
  }
})

const consistencyCases: [string, string, () => string][] = [
  ['of other headers', 'PROOF_WRONG_ANCHOR', () => consistency(chain.consistencyProof(3, 9), 4, 9)],
  ['the other way round', 'PROOF_WRONG_ANCHOR', () => consistency({ from: 9, to: 3, path: [] }, 9, 3)],
  ['truncated', 'PROOF_CONSISTENCY_PATH', () => consistency({ from: 3, to: 9, path: [] }, 3, 9)],
  [
    'padded',
    'PROOF_CONSISTENCY_PATH',
    () => consistency({ from: 3, to: 9, path: [...chain.consistencyProof(3, 9).path, zero] }, 3, 9)
  ],
  ['with a short hash', 'PROOF_MALFORMED', () => consistency({ from: 3, to: 9, path: [zero.subarray(1)] }, 3, 9)],
  ['with no numbers', 'PROOF_MALFORMED', () => consistency({ from: -1, to: Number.NaN, path: [] }, 3, 9)],
  [
    'of another chain',
    'PROOF_WRONG_ANCHOR',
    () => outcome(verifyConsistencyProof(other.consistencyProof(3, 9), other.anchor(3), other.anchor(9), genesis))
  ]
]
test.each(consistencyCases)('a consistency proof %s: %s', (_, code, verification) => {
  expect(verification()).toBe(code)
})

function header(proof: HeaderProof, anchor: number, options = {}) {
  return verifyHeaderProof(proof, chain.anchor(anchor), genesis, options)
}

function changed(height: number) {
  return { ...chain.header(height), timestamp: chain.header(height).timestamp + 1 }
}

function consistency(proof: ConsistencyProof, from: number, to: number): string {
  return outcome(verifyConsistencyProof(proof, chain.anchor(from), chain.anchor(to), genesis))
}

function outcome(result: ReturnType<typeof verifyConsistencyProof>): string {
  return result.ok ? 'ok' : result.code
}
