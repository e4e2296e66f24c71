import { describe, expect, test } from 'vitest'
import { checkFinalized, checkProposed } from '../../src/chain/check-block.ts'
import { buildCommit, encodeCommit } from '../../src/chain/commit.ts'
import { checkFinalMessage, type FinalContext } from '../../src/chain/gossip-checks.ts'
import { equalBytes } from '../../src/codec/bytes.ts'
import { joinFinalized } from '../../src/codec/raw.ts'
import { finalize, precommits, testBlock, testChain, testEvent } from './fixture.ts'

const chain = testChain()
const { genesis } = chain
const block = testBlock(chain, { events: [1, 2, 3].map((index) => testEvent(chain, index).bytes) })
const good = finalize(chain, block)

function context(holds: 'nothing' | 'proposed' | 'final') {
  const proposed = checkProposed(genesis, block.blockBytes)
  if (!proposed.ok) throw new Error(proposed.failure.message)
  let looked = 0
  const checks: FinalContext = {
    verify: (payload) => {
      looked++
      return checkFinalized(genesis, payload)
    },
    proposed: (hash) => (holds === 'proposed' && equalBytes(hash, block.hash) ? proposed.block : undefined),
    held: async () => (holds === 'final' ? block.blockBytes : undefined)
  }
  return { checks, looked: () => looked }
}

/** Its first signature has another last byte. */
function withFalseCommit(blockBytes: Uint8Array, hash: Uint8Array): Uint8Array {
  const commit = buildCommit(genesis, precommits(chain, hash, [0, 1, 2]))
  const signatures = commit.signatures.map(({ validator, signature }) => ({ validator, signature: signature.slice() }))
  const last = signatures[0]?.signature as Uint8Array
  last[63] = (last[63] as number) ^ 1
  return joinFinalized(blockBytes, encodeCommit({ ...commit, signatures }))
}

describe('a certified block from gossip', () => {
  test('is looked at in full where nothing is known of it', async () => {
    const { checks, looked } = context('nothing')
    const checked = await checkFinalMessage(genesis, good, checks)
    const whole = checkFinalized(genesis, good)
    expect(whole.ok && checked).toEqual({
      ok: true,
      message: { height: 1, hash: block.hash, block: whole.ok && whole.block }
    })
    expect(looked()).toBe(1)
  })

  test('that was found valid as a proposal needs its commit alone', async () => {
    const { checks, looked } = context('proposed')
    const whole = checkFinalized(genesis, good)
    const message = { height: 1, hash: block.hash, block: whole.ok && whole.block }
    expect(await checkFinalMessage(genesis, good, checks)).toEqual({ ok: true, message })
    expect(looked()).toBe(0)
    // The same hash, and not the same bytes.
    const unsealed = finalize(chain, testBlock(chain, { events: [], seal: new Uint8Array(64), header: block.header }))
    expect((await checkFinalMessage(genesis, unsealed, checks)).ok).toBe(false)
    expect(looked()).toBe(1)
  })

  test('that is held as final needs its commit alone', async () => {
    const { checks, looked } = context('final')
    expect(await checkFinalMessage(genesis, good, checks)).toMatchObject({ ok: true, message: { block: undefined } })
    expect(looked()).toBe(0)
  })

  test.each(['nothing', 'proposed', 'final'] as const)(
    'with a false commit is refused before anything else is looked at, with %s held',
    async (holds) => {
      const { checks, looked } = context(holds)
      const forged = withFalseCommit(block.blockBytes, block.hash)
      expect(await checkFinalMessage(genesis, forged, checks)).toEqual({ ok: false, code: 'COMMIT_BAD_SIGNATURE' })
      expect(looked()).toBe(0)
    }
  )
})
