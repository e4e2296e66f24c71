import { describe, expect, test } from 'vitest'
import { verifyConsistency, verifyInclusion } from '../../src/chain/merkle-proof.ts'
import { concatBytes, fromHex, toHex } from '../../src/codec/bytes.ts'
import { SignedEvent } from '../../src/codec/generated/event.ts'
import { type ProofJson, proofToJson } from '../../src/light/verify/proof-json.ts'
import { RFC_INPUTS, RFC_ROOTS } from '../chain/support/naive-merkle.ts'
import { ctConsistencyRoots, ctLeafHash, ctRoot } from './support/ct-verifier.ts'
import { ServedChain } from './support/served-chain.ts'

const bytes = (hex: string | undefined): Uint8Array => fromHex(hex ?? '', 32) as Uint8Array
const root = (size: number): Uint8Array => bytes(RFC_ROOTS[size])

const NODE_0 = '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'
const NODE_1 = '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7'
const NODE_23 = '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e'
const NODE_4 = 'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b'
const NODE_45 = '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a'
const NODE_67 = 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0'
const NODE_4567 = '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4'
const NODE_01 = RFC_ROOTS[2] as string
const NODE_0123 = RFC_ROOTS[4] as string

/** The audit paths and consistency proofs that RFC 6962 implementations publish for the eight standard inputs. */
const AUDIT_PATHS: [index: number, size: number, path: string[]][] = [
  [0, 1, []],
  [0, 8, [NODE_1, NODE_23, NODE_4567]],
  [5, 8, [NODE_4, NODE_67, NODE_0123]],
  [2, 3, [NODE_01]],
  [1, 5, [NODE_0, NODE_23, NODE_4]]
]
const CONSISTENCY: [first: number, second: number, proof: string[]][] = [
  [1, 8, [NODE_1, NODE_23, NODE_4567]],
  [6, 8, [NODE_45, NODE_67, NODE_0123]],
  [2, 5, [NODE_23, NODE_4]]
]

describe('the published vectors of RFC 6962', () => {
  test.each(AUDIT_PATHS)('audit path of leaf %i in a tree of %i', (index, size, hashes) => {
    const path = hashes.map(bytes)
    const data = RFC_INPUTS[index] as Uint8Array
    expect(verifyInclusion({ leafHash: ctLeafHash(data), index, size, path, root: root(size) })).toBe(true)
    expect(toHex(ctRoot(data, index, size, path) as Uint8Array)).toBe(RFC_ROOTS[size])
  })

  test.each(CONSISTENCY)('consistency of trees of %i and %i', (from, to, hashes) => {
    const path = hashes.map(bytes)
    expect(verifyConsistency({ from, to, fromRoot: root(from), toRoot: root(to), path })).toBe(true)
    const roots = ctConsistencyRoots(from, to, root(from), path) as [Uint8Array, Uint8Array]
    expect(roots.map(toHex)).toEqual([RFC_ROOTS[from], RFC_ROOTS[to]])
  })
})

/** docs/proofs.md: where a Certificate Transparency verifier finds in a proof file what it asks for. */
describe('a Certificate Transparency verifier', () => {
  const chain = new ServedChain(19, { eventsPerBlock: 7 })

  test('checks both paths of an event proof', () => {
    for (let height = 1; height < 19; height++) {
      const proof = chain.eventProof(height, height % 7, 19)
      const json = written({ kind: 'event', proof, anchor: chain.anchor(19) })
      if (json.kind !== 'event' || json.anchor.header === undefined) throw new Error('no event proof')
      const { body, actor, signature } = SignedEvent.decode(Buffer.from(json.event.bytes, 'base64'))
      const eventData = concatBytes(actor, signature, body)
      const eventsRoot = ctRoot(eventData, json.event.index, json.event.count, json.event.path.map(bytes))
      expect(toHex(eventsRoot as Uint8Array)).toBe(json.header.events_root)
      expect(toHex(ctLeafHash(eventData))).toBe(json.event.id)
      const blockHash = chain.anchor(height).hash
      const mmrRoot = ctRoot(blockHash, json.header.height, json.anchor.height, json.mmr_path.map(bytes))
      expect(toHex(mmrRoot as Uint8Array)).toBe(json.anchor.header.mmr_root)
    }
  })

  test('checks a consistency proof', () => {
    for (let from = 1; from < 19; from++) {
      const ends = { from: chain.header(from), to: chain.header(19) }
      const json = written({ kind: 'consistency', proof: chain.consistencyProof(from, 19), ...ends })
      if (json.kind !== 'consistency') throw new Error('no consistency proof')
      const fromRoot = bytes(json.from.header.mmr_root)
      const roots = ctConsistencyRoots(json.from.height, json.to.height, fromRoot, json.path.map(bytes))
      expect(roots?.map(toHex)).toEqual([json.from.header.mmr_root, json.to.header.mmr_root])
    }
  })

  function written(proof: Parameters<typeof proofToJson>[1]): ProofJson {
    return JSON.parse(JSON.stringify(proofToJson(chain.genesis, proof)))
  }
})
