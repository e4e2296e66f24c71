import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkHeader, maxTrustedHeaderBytes } from '../../src/chain/check-header.ts'
import { HeaderChain } from '../../src/chain/header-chain.ts'
import { concatBytes } from '../../src/codec/bytes.ts'
import { TrustedHeader } from '../../src/codec/generated/chain.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { runs } from '../support/runs.ts'
import { checkedHeader, type HeaderChanges, remade, trustedHeaders } from '../support/trusted-headers.ts'
import { keyOf } from './fixture.ts'

const chain = chainInMemory(3, { eventsPerBlock: 2, seed: 51 })
const { maker, genesis, blocks } = chain
const headers = trustedHeaders(chain)
const good = headers[0] as Uint8Array<ArrayBuffer>
const other = new Uint8Array(32).fill(7)
const commit = TrustedHeader.decode(good).commit as NonNullable<TrustedHeader['commit']>

/** The code of the first fault that the check itself found. */
function codeOf(bytes: Uint8Array): string | undefined {
  const result = checkHeader(genesis, bytes)
  return result.ok ? result.header.deferred?.code : result.failure.code
}

describe('a header alone', () => {
  it('is what the block is that it was taken from', () => {
    headers.forEach((bytes, i) => {
      const block = blocks[i] as (typeof blocks)[number]
      expect(checkedHeader(maker, bytes)).toMatchObject({ height: i + 1, hash: block.hash, header: block.header })
      expect(codeOf(bytes)).toBeUndefined()
    })
  })

  const ill: Record<string, [code: string, bytes: () => Uint8Array]> = {
    'longer than any of this chain': ['TOO_LARGE', () => new Uint8Array(maxTrustedHeaderBytes(genesis) + 1)],
    'with a byte behind it': ['NON_CANONICAL', () => concatBytes(good, Uint8Array.of(0))],
    'cut short': ['NON_CANONICAL', () => good.subarray(0, -1)],
    empty: ['NON_CANONICAL', () => new Uint8Array(0)],
    'of another version': ['BAD_VERSION', () => remade(maker, good, { header: { version: 2 } })]
  }
  for (const [what, [code, bytes]] of Object.entries(ill)) {
    it(`${what} is not looked at further: ${code}`, () => {
      expect(checkHeader(genesis, bytes())).toMatchObject({ ok: false, failure: { code } })
    })
  }

  const flipped = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
    const copy = new Uint8Array(bytes)
    copy[9] = (copy[9] as number) ^ 1
    return copy
  }
  const signed = (index: number, signature: (s: Uint8Array) => Uint8Array<ArrayBuffer>): HeaderChanges => ({
    commit: {
      signatures: commit.signatures.map((s, i) => (i === index ? { ...s, signature: signature(s.signature) } : s))
    }
  })
  const faults: Record<string, HeaderChanges> = {
    'BAD_VALIDATORS_HASH (this)': { header: { validatorsHash: other } },
    'BAD_VALIDATORS_HASH (next)': { header: { nextValidatorsHash: other } },
    BAD_PROPOSER: { header: { proposer: new Uint8Array(keyOf('outsider').publicKey) } },
    BAD_SEAL: { seal: new Uint8Array(64).fill(1) },
    'BAD_SEAL (bit)': { seal: flipped(TrustedHeader.decode(good).seal) },
    'COMMIT_WRONG_BLOCK (hash)': { commit: { blockHash: other } },
    'COMMIT_WRONG_BLOCK (height)': { commit: { height: 2 } },
    COMMIT_UNKNOWN_SIGNER: { keys: [...maker.validators.slice(0, 2), keyOf('outsider')] },
    COMMIT_REPEATED_SIGNER: { signers: [0, 1, 1] },
    COMMIT_WRONG_ORDER: { signers: [2, 1, 0] },
    COMMIT_TOO_FEW: { signers: [0, 1] },
    'COMMIT_BAD_SIGNATURE (first)': signed(0, flipped),
    'COMMIT_BAD_SIGNATURE (last)': signed(2, flipped),
    'COMMIT_BAD_SIGNATURE (of another round)': { commit: { round: 1 } }
  }
  for (const [what, changes] of Object.entries(faults)) {
    it(`${what} is a fault of a later stage than its links`, () => {
      const header = checkedHeader(maker, remade(maker, good, changes))
      expect(header.deferred?.code).toBe(what.replace(/ .*/, ''))
    })
  }

  it('checks also the signatures beyond a quorum', () => {
    const all = remade(maker, good, { signers: [0, 1, 2, 3] })
    expect(codeOf(all)).toBeUndefined()
    const signatures = [...(TrustedHeader.decode(all).commit?.signatures ?? [])]
    const last = signatures.pop() as (typeof signatures)[number]
    signatures.push({ ...last, signature: flipped(last.signature) })
    expect(codeOf(remade(maker, all, { commit: { signatures } }))).toBe('COMMIT_BAD_SIGNATURE')
  })

  it('whatever bit of a header is flipped, it is no next header', () => {
    const start = HeaderChain.atGenesis(genesis)
    fc.assert(
      fc.property(fc.nat(good.byteLength * 8 - 1), (bit) => {
        const bytes = new Uint8Array(good)
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
        const result = checkHeader(genesis, bytes)
        expect(result.ok ? start.check(result.header) : result.failure).toBeDefined()
      }),
      runs(400)
    )
  })
})
