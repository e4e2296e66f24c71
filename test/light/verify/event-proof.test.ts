import { describe, expect, test } from 'vitest'
import { createGenesis } from '../../../src/chain/genesis.ts'
import { toHex } from '../../../src/codec/bytes.ts'
import type { CompactProof } from '../../../src/codec/generated/proof.ts'
import { verifyEventProof } from '../../../src/light/verify/event-proof.ts'
import { ServedChain } from '../support/served-chain.ts'

const chain = new ServedChain(11)
const { genesis } = chain
const TOP = 11

describe('a proof of an event', () => {
  test('verifies for every event under every anchor above its block, and names what it checked', () => {
    for (let height = 1; height < TOP; height++) {
      for (let anchor = height + 1; anchor <= TOP; anchor++) {
        for (let index = 0; index < 5; index++) {
          const proof = chain.eventProof(height, index, anchor)
          const result = verifyEventProof(proof, chain.anchor(anchor), genesis)
          expect(result.ok ? toHex(result.event.id) : result).toBe(toHex(chain.eventId(height, index)))
          expect(result.ok && [result.index, result.header.height, result.hash]).toEqual([
            index,
            height,
            chain.anchor(height).hash
          ])
        }
      }
    }
    const result = verifyEventProof(chain.eventProof(3, 1, TOP), chain.anchor(TOP), genesis)
    expect(result.steps.map(({ step }) => step)).toEqual([
      'form',
      'anchor',
      'event',
      'bounds',
      'signature',
      'event_index',
      'event_path',
      'header',
      'mmr_path'
    ])
  })

  test('verifies where the header of its own block is the trusted one', () => {
    const result = verifyEventProof(chain.eventProof(4, 2, 0), chain.anchor(4), genesis)
    expect(result.ok).toBe(true)
    expect(result.steps.at(-1)?.step).toBe('block_hash')
  })

  const good = (): CompactProof => chain.eventProof(4, 2, 9)
  const other = new ServedChain(11, { seed: 2 })
  const actors = createGenesis({
    chainId: genesis.chainId,
    timestamp: genesis.timestamp,
    validators: genesis.validators.keys.map((publicKey, i) => ({ name: `v${i}`, publicKey })),
    actors: [new Uint8Array(32)]
  })
  // The same chain to everything but the list of actors.
  const closed = { ...genesis, actors: actors.actors }
  const narrow = { ...genesis, params: { ...genesis.params, eventWindowMs: 0 } }
  const small = { ...genesis, params: { ...genesis.params, maxEventBytes: 100 } }
  const zero = new Uint8Array(32)

  const cases: [string, string, () => ReturnType<typeof verifyEventProof>][] = [
    ['of another event', 'PROOF_WRONG_EVENT', () => verify(good(), 9, { eventId: chain.eventId(4, 1) })],
    ['of another chain', 'PROOF_EVENT_SIGNATURE', () => verify(other.eventProof(4, 2, 9), 9)],
    [
      'of another chain, with its anchor',
      'PROOF_WRONG_ANCHOR',
      () => verifyEventProof(other.eventProof(4, 2, 9), other.anchor(9), genesis)
    ],
    ['for a higher anchor', 'PROOF_WRONG_ANCHOR', () => verify(chain.eventProof(4, 2, 10), 9)],
    ['for a lower anchor', 'PROOF_WRONG_ANCHOR', () => verify(chain.eventProof(4, 2, 8), 9)],
    [
      'that says it is for this anchor',
      'PROOF_MMR_PATH',
      () => verify({ ...chain.eventProof(4, 2, 11), anchorHeight: 9 }, 9)
    ],
    ['for no anchor', 'PROOF_WRONG_ANCHOR', () => verify(chain.eventProof(4, 2, 0), 9)],
    [
      'of a block at the anchor',
      'PROOF_WRONG_ANCHOR',
      () => verify({ ...chain.eventProof(9, 2, 0), anchorHeight: 9 }, 9)
    ],
    [
      'with a padded path in its own block',
      'PROOF_MMR_PATH',
      () => verify({ ...chain.eventProof(9, 2, 0), mmrPath: [zero] }, 9)
    ],
    [
      'of another header as its own',
      'PROOF_BLOCK_HASH',
      () => verify({ ...chain.eventProof(9, 2, 0), header: { ...chain.header(9), stateRoot: zero } }, 9)
    ],
    [
      'with a wrong hash for its anchor',
      'PROOF_WRONG_ANCHOR',
      () => verifyEventProof(good(), { ...chain.anchor(9), hash: zero }, genesis)
    ],
    ['without its event', 'PROOF_MALFORMED', () => verify(without(good(), 'event'), 9)],
    ['without its header', 'PROOF_MALFORMED', () => verify(without(good(), 'header'), 9)],
    ['with a hash of 31 bytes', 'PROOF_MALFORMED', () => verify({ ...good(), mmrPath: [zero.subarray(1)] }, 9)],
    ['with too many hashes', 'PROOF_MALFORMED', () => verify({ ...good(), eventPath: Array(65).fill(zero) }, 9)],
    ['with an index at the count', 'PROOF_EVENT_INDEX', () => verify({ ...good(), eventIndex: 5 }, 9)],
    ['with a larger count', 'PROOF_EVENT_INDEX', () => verify({ ...good(), eventCount: 6 }, 9)],
    ['with another index', 'PROOF_EVENT_PATH', () => verify({ ...good(), eventIndex: 3 }, 9)],
    [
      'with a truncated event path',
      'PROOF_EVENT_PATH',
      () => verify({ ...good(), eventPath: good().eventPath.slice(1) }, 9)
    ],
    [
      'with a padded event path',
      'PROOF_EVENT_PATH',
      () => verify({ ...good(), eventPath: [...good().eventPath, zero] }, 9)
    ],
    [
      'with a truncated mmr path',
      'PROOF_MMR_PATH',
      () => verify({ ...good(), mmrPath: good().mmrPath.slice(0, -1) }, 9)
    ],
    ['with a padded mmr path', 'PROOF_MMR_PATH', () => verify({ ...good(), mmrPath: [...good().mmrPath, zero] }, 9)],
    [
      'with a header of version 2',
      'PROOF_HEADER',
      () => verify({ ...good(), header: { ...chain.header(4), version: 2 } }, 9)
    ],
    [
      'with other validators',
      'PROOF_HEADER',
      () => verify({ ...good(), header: { ...chain.header(4), nextValidatorsHash: zero } }, 9)
    ],
    ['of an actor who may not sign', 'PROOF_EVENT_BOUNDS', () => verifyEventProof(good(), chain.anchor(9), closed)],
    ['of an event out of its window', 'PROOF_EVENT_BOUNDS', () => verifyEventProof(good(), chain.anchor(9), narrow)],
    ['of an event too large', 'PROOF_EVENT_BOUNDS', () => verifyEventProof(good(), chain.anchor(9), small)]
  ]
  test.each(cases)('%s: %s', (_, code, verification) => {
    const result = verification()
    expect(result.ok ? 'ok' : result.code, result.ok ? '' : result.message).toBe(code)
    expect(result.ok ? '' : result.message).not.toContain('\n')
  })

  test('nothing in it makes it throw', () => {
    const junk: unknown[] = [undefined, null, '', 'x', -1, 0.5, Number.NaN, 2 ** 53, {}, [], [1], new Uint8Array(3)]
    for (const name of Object.keys(good())) {
      for (const value of junk) {
        if (name === 'anchorHeight' && value === 9) continue
        expect(verifyEventProof({ ...good(), [name]: value } as CompactProof, chain.anchor(9), genesis).ok).toBe(false)
      }
    }
    for (const name of Object.keys(chain.header(4))) {
      for (const value of junk) {
        const header = { ...chain.header(4), [name]: value }
        expect(verifyEventProof({ ...good(), header } as CompactProof, chain.anchor(9), genesis).ok).toBe(false)
      }
    }
    for (const name of ['actor', 'signature', 'body']) {
      for (const value of junk) {
        const event = { ...good().event, [name]: value }
        expect(verifyEventProof({ ...good(), event } as CompactProof, chain.anchor(9), genesis).ok).toBe(false)
      }
    }
  })

  function verify(proof: CompactProof, anchor: number, options = {}) {
    return verifyEventProof(proof, chain.anchor(anchor), genesis, options)
  }
})

function without(proof: CompactProof, name: 'event' | 'header'): CompactProof {
  const { [name]: _, ...rest } = proof
  return rest
}
