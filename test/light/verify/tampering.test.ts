import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CompactProof, ConsistencyProof, HeaderProof, HistoryProof } from '../../../src/codec/generated/proof.ts'
import { hasCode } from '../../../src/error.ts'
import { verifyConsistencyProof } from '../../../src/light/verify/consistency-proof.ts'
import { verifyEventProof } from '../../../src/light/verify/event-proof.ts'
import { verifyHeaderProof } from '../../../src/light/verify/header-proof.ts'
import { type HistoryKey, historyKey } from '../../../src/light/verify/history-key.ts'
import { verifyHistoryProof } from '../../../src/light/verify/history-proof.ts'
import { parseProofFile } from '../../../src/light/verify/parse-proof.ts'
import { type ProofJson, proofToJson } from '../../../src/light/verify/proof-json.ts'
import { PROOF_CODES, type ProofCode, stepOf } from '../../../src/light/verify/result.ts'
import { verifyProofFile } from '../../../src/light/verify/verify-file.ts'
import { runs } from '../../support/runs.ts'
import { ServedChain } from '../support/served-chain.ts'

/**
 * One flipped bit anywhere in a proof, and it fails in a step that has a name. The codes that a change of each field may
 * end in are written down: a field that nothing checks would show here.
 */
const chain = new ServedChain(21, { eventsPerBlock: 7, params: { snapshotInterval: 6 } })
const { genesis } = chain

/** Every leaf (a number or a byte string) of a decoded message. */
function leaves(value: unknown, path: string[] = []): string[][] {
  if (typeof value === 'number' || value instanceof Uint8Array) return [path]
  return Object.entries(value as object).flatMap(([key, inner]) => leaves(inner, [...path, key]))
}

/** A copy with one bit of that leaf flipped; of a number one that it has room for. */
function flipped<Value>(value: Value, path: readonly string[], bit: number): Value {
  const copy = structuredClone(value)
  const parent = path
    .slice(0, -1)
    .reduce((at, key) => at[key] as Record<string, unknown>, copy as Record<string, unknown>)
  const name = path.at(-1) as string
  const leaf = parent[name]
  if (typeof leaf === 'number') {
    const room = name === 'timestamp' || /height|from|to/i.test(name) ? 53n : 32n
    parent[name] = Number(BigInt(leaf) ^ (1n << (BigInt(bit) % room)))
  } else {
    const bytes = leaf as Uint8Array
    const at = bit % (8 * bytes.byteLength)
    bytes[at >> 3] = (bytes[at >> 3] as number) ^ (1 << (at & 7))
  }
  return copy
}

const HEADER_CODES: Record<string, ProofCode[]> = {
  'header.version': ['PROOF_HEADER'],
  'header.validatorsHash': ['PROOF_HEADER'],
  'header.nextValidatorsHash': ['PROOF_HEADER'],
  'header.height': ['PROOF_MMR_PATH', 'PROOF_WRONG_ANCHOR', 'PROOF_BLOCK_HASH'],
  header: ['PROOF_MMR_PATH', 'PROOF_BLOCK_HASH'],
  mmrPath: ['PROOF_MMR_PATH'],
  anchorHeight: ['PROOF_WRONG_ANCHOR']
}
const EVENT_CODES: Record<string, ProofCode[]> = {
  ...HEADER_CODES,
  'header.eventCount': ['PROOF_EVENT_INDEX'],
  'header.eventsRoot': ['PROOF_EVENT_PATH'],
  'header.timestamp': ['PROOF_MMR_PATH', 'PROOF_BLOCK_HASH', 'PROOF_EVENT_BOUNDS'],
  'event.body': ['PROOF_MALFORMED', 'PROOF_EVENT_BOUNDS', 'PROOF_EVENT_SIGNATURE'],
  'event.actor': ['PROOF_EVENT_SIGNATURE'],
  'event.signature': ['PROOF_EVENT_SIGNATURE'],
  eventIndex: ['PROOF_EVENT_INDEX', 'PROOF_EVENT_PATH'],
  eventCount: ['PROOF_EVENT_INDEX'],
  eventPath: ['PROOF_EVENT_PATH']
}
const CONSISTENCY_CODES: Record<string, ProofCode[]> = {
  from: ['PROOF_WRONG_ANCHOR'],
  to: ['PROOF_WRONG_ANCHOR'],
  path: ['PROOF_CONSISTENCY_PATH']
}

const HISTORY_CODES: Record<string, ProofCode[]> = {
  anchorHeight: ['PROOF_WRONG_ANCHOR'],
  state: ['PROOF_KEY_PATH'],
  // A leaf of no events is none.
  'state.leaf.count': ['PROOF_KEY_PATH', 'PROOF_MALFORMED'],
  pages: ['PROOF_HISTORY_PAGE']
}

/** The codes of the longest name that the path begins with. */
function expected(codes: Record<string, ProofCode[]>, path: readonly string[]): ProofCode[] {
  for (let length = path.length; length > 0; length--) {
    const found = codes[path.slice(0, length).join('.')]
    if (found !== undefined) return found
  }
  throw new Error(`no codes for ${path.join('.')}`)
}

type Outcome = { ok: true } | { ok: false; code: ProofCode; step: string; message: string }

function tamper<Proof>(
  proof: Proof,
  codes: Record<string, ProofCode[]>,
  verify: (proof: Proof) => Outcome,
  bit: number
): void {
  for (const path of leaves(proof)) {
    const result = verify(flipped(proof, path, bit))
    if (result.ok) expect.unreachable(`bit ${bit} of ${path.join('.')} was not noticed`)
    expect(expected(codes, path), `bit ${bit} of ${path.join('.')}: ${result.message}`).toContain(result.code)
    expect(result.step).toBe(stepOf(result.code))
  }
}

describe('one flipped bit of each field and hash is noticed', () => {
  const bit = fc.nat(4095)
  // Height, anchor (0: its own header) and place.
  const place = fc
    .integer({ min: 2, max: 21 })
    .chain((anchor) => fc.tuple(fc.integer({ min: 1, max: anchor - 1 }), fc.constantFrom(anchor, 0), fc.nat(6)))

  test('in a proof of an event', () => {
    fc.assert(
      fc.property(place, bit, ([height, anchor, index], bit) => {
        const proof = chain.eventProof(height, index, anchor)
        const trusted = chain.anchor(anchor || height)
        expect(verifyEventProof(proof, trusted, genesis).ok).toBe(true)
        tamper<CompactProof>(proof, EVENT_CODES, (changed) => verifyEventProof(changed, trusted, genesis), bit)
      }),
      runs(60)
    )
  })

  test('in a proof of a header', () => {
    fc.assert(
      fc.property(place, bit, ([height, anchor], bit) => {
        const trusted = chain.anchor(anchor || height)
        const verify = (changed: HeaderProof) => verifyHeaderProof(changed, trusted, genesis)
        tamper<HeaderProof>(chain.headerProof(height, anchor), HEADER_CODES, verify, bit)
      }),
      runs(100)
    )
  })

  test('in a consistency proof', () => {
    fc.assert(
      fc.property(place, bit, ([from, to], bit) => {
        const top = to || 21
        const verify = (changed: ConsistencyProof) =>
          verifyConsistencyProof(changed, chain.anchor(from), chain.anchor(top), genesis)
        tamper<ConsistencyProof>(chain.consistencyProof(from, top), CONSISTENCY_CODES, verify, bit)
      }),
      runs(100)
    )
  })

  test('in a history and in an absence', () => {
    const keys = [
      ...chain.histories.keys(22),
      historyKey({ action: 'never' }),
      historyKey({ actor: new Uint8Array(32) })
    ]
    fc.assert(
      fc.property(fc.constantFrom(6, 12, 18), fc.constantFrom<HistoryKey>(...keys), bit, (anchor, key, bit) => {
        const trusted = chain.anchor(anchor)
        const verify = (changed: HistoryProof) => verifyHistoryProof(changed, trusted, genesis, key)
        tamper<HistoryProof>(chain.historyProof(key, anchor), HISTORY_CODES, verify, bit)
      }),
      runs(100)
    )
  })

  test('in the anchor itself', () => {
    const proof = chain.eventProof(5, 3, 18)
    for (const path of leaves(chain.anchor(18))) {
      const result = verifyEventProof(proof, flipped(chain.anchor(18), path, 3), genesis)
      expect(result.ok ? 'ok' : result.code, path.join('.')).toBe('PROOF_WRONG_ANCHOR')
    }
  })
})

describe('one changed character of a proof file is noticed', () => {
  const files: [string, ProofJson][] = [
    ['event', proofToJson(genesis, { kind: 'event', proof: chain.eventProof(5, 3, 18), anchor: chain.anchor(18) })],
    [
      'event at its anchor',
      proofToJson(genesis, { kind: 'event', proof: chain.eventProof(5, 3, 0), anchor: chain.anchor(5) })
    ],
    ['header', proofToJson(genesis, { kind: 'header', proof: chain.headerProof(5, 18), anchor: chain.anchor(18) })],
    [
      'consistency',
      proofToJson(genesis, {
        kind: 'consistency',
        proof: chain.consistencyProof(5, 18),
        from: chain.header(5),
        to: chain.header(18)
      })
    ],
    ...[chain.histories.keys(18)[0] as HistoryKey, historyKey({ resource: { kind: 'none', id: 'ñ' } })].map(
      (key, at): [string, ProofJson] => [
        ['history', 'absence'][at] as string,
        proofToJson(genesis, { kind: 'history', proof: chain.historyProof(key, 18), anchor: chain.anchor(18), key })
      ]
    )
  ]
  const trust = [chain.anchor(5), chain.anchor(18)]

  test.each(files)('%s', (_, json) => {
    const text = JSON.stringify(json)
    // Of another key the same path may prove the absence too: it is asked for.
    const file = parseProofFile(text)
    const key = file.kind === 'history' ? file.key : undefined
    expect(outcome(text, key)).toBe('ok')
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.nat(6), (at, bit) => {
        const changed = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << bit)) + text.slice(at + 1)
        expect(PROOF_CODES, `${text.slice(at - 20, at + 20)} bit ${bit}`).toContain(outcome(changed, key))
      }),
      runs(600)
    )
  })

  function outcome(text: string, key: HistoryKey | undefined): string {
    try {
      const result = verifyProofFile(parseProofFile(text), { genesis, trust, key })
      return result.ok ? 'ok' : result.code
    } catch (error) {
      if (hasCode(error, 'PROOF_MALFORMED')) return error.code
      throw error
    }
  }
})

test('every code names a step', () => {
  for (const code of PROOF_CODES) expect(stepOf(code)).toMatch(/^[a-z_]+$/)
})
