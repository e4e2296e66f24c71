import { describe, expect, it } from 'vitest'
import { VoteType } from '../../src/chain/vote.ts'
import { concatBytes } from '../../src/codec/bytes.ts'
import { joinBlock, joinFinalized, splitBlock, splitFinalized } from '../../src/codec/raw.ts'
import {
  atSnapshot,
  badBlock,
  badCommit,
  certified,
  DEEP,
  falselySigned,
  heights,
  offSnapshot,
  serving,
  uncertified
} from './support/bad-blocks.ts'
import { TIP } from './support/chain.ts'
import { flipped, OUTSIDER } from './support/forge.ts'
import type { Wanted } from './support/hostile.ts'
import { Scene } from './support/scene.ts'
import { fullSyncBeside, goodEnding, type Row, row } from './support/table.ts'

const OTHER = new Uint8Array(32).fill(7)

const RANGES: readonly Row[] = [
  row('sends other heights than asked', ['disconnect BAD_HEIGHT'], () =>
    serving(({ start, count }, forge) =>
      heights({ start: start > TIP / 2 ? 1 : TIP / 2, count }).map((height) => forge.honest(height))
    )
  ),
  row('sends blocks in the wrong order', ['disconnect BAD_HEIGHT'], () =>
    serving((wanted, forge) =>
      heights(wanted)
        .map((height) => forge.honest(height))
        .reverse()
    )
  ),
  row('sends each block twice', ['disconnect BAD_HEIGHT'], () =>
    serving(({ start, count }, forge) =>
      heights({ start, count }).map((height) => forge.honest(start + Math.floor((height - start) / 2)))
    )
  ),
  row('leaves out a block', ['disconnect BAD_HEIGHT'], () =>
    serving((wanted, forge) =>
      heights(wanted)
        .filter((height) => height !== wanted.start + DEEP)
        .map((height) => forge.honest(height))
    )
  ),
  row('certifies a block of another height', ['disconnect BAD_HEIGHT'], () =>
    certified(({ height }) => ({ height: height + 1000 }))
  )
]

const BLOCKS: readonly Row[] = [
  row('adds a field to a block', ['ban NON_CANONICAL'], () =>
    badBlock((forge, height) => concatBytes(forge.honest(height), Uint8Array.of((14 << 3) | 0, 1)))
  ),
  row('sends a block above the limit', ['ban TOO_LARGE'], () =>
    badBlock((forge, height) => {
      const { block, commit } = splitFinalized(forge.honest(height))
      const { header, seal, events } = splitBlock(block)
      return joinFinalized(joinBlock(header, seal, Array.from({ length: 40 }, () => events).flat()), commit)
    })
  ),
  row('certifies another version', ['disconnect BAD_VERSION'], () => certified(() => ({ version: 2 }))),
  row('certifies another set of validators', ['ban BAD_VALIDATORS_HASH'], () =>
    certified(() => ({ validatorsHash: OTHER }))
  ),
  row('leaves out an event', ['ban BAD_EVENT_COUNT'], () =>
    badBlock((forge, height) => forge.uncertified(height, { events: (events) => events.slice(1) }))
  ),
  row('swaps events', ['ban BAD_EVENTS_ROOT'], () =>
    badBlock((forge, height) => forge.uncertified(height, { events: (events) => [...events].reverse() }))
  ),
  row('certifies another root of events', ['ban BAD_EVENTS_ROOT'], () => certified(() => ({ eventsRoot: OTHER }))),
  row('changes the parent', ['ban COMMIT_WRONG_BLOCK'], () => uncertified(() => ({ parentHash: OTHER }))),
  row('changes the MMR root', ['ban COMMIT_WRONG_BLOCK'], () => uncertified(() => ({ mmrRoot: OTHER }))),
  row('changes the state root', ['ban COMMIT_WRONG_BLOCK'], () =>
    uncertified(() => ({ stateRoot: OTHER }), atSnapshot)
  ),
  // Only a quorum of validators can bring these about; whether the peer has checked them rests on its chain being ours.
  row('certifies another MMR root', ['disconnect BAD_MMR_ROOT'], () => certified(() => ({ mmrRoot: OTHER }))),
  row('certifies another state root', ['disconnect BAD_STATE_ROOT'], () =>
    certified(() => ({ stateRoot: OTHER }), atSnapshot)
  ),
  row('certifies a state root too soon', ['disconnect BAD_STATE_ROOT'], () =>
    certified(() => ({ stateRoot: OTHER }), offSnapshot)
  ),
  row('certifies a time that goes back', ['disconnect BAD_TIMESTAMP'], () => certified(() => ({ timestamp: 1 }))),
  row('names a proposer who is none', ['ban BAD_PROPOSER'], () =>
    certified(() => ({ proposer: OUTSIDER.publicKey as Uint8Array<ArrayBuffer> }))
  ),
  row('certifies a false event, where events are checked', ['penalise EVENT_BAD_SIGNATURE'], falselySigned, {
    tuning: { verifyEvents: true }
  }),
  row('breaks a seal', ['ban BAD_SEAL'], () =>
    badBlock((forge, height) => forge.uncertified(height, { seal: flipped }))
  )
]

const COMMITS: readonly Row[] = [
  row('is of another block', ['ban COMMIT_WRONG_BLOCK'], () => badCommit((forge, height) => forge.commit(height - 1))),
  row('has too few signatures', ['ban COMMIT_TOO_FEW'], () =>
    badCommit((forge, height) => forge.signedBy(height, {}, forge.validators.slice(1, forge.quorum)))
  ),
  row('has one signer twice', ['ban COMMIT_REPEATED_SIGNER'], () =>
    badCommit((forge, height) => {
      const [first, second] = forge.validators
      return forge.signedBy(height, {}, [first, second, second] as (typeof forge.validators)[number][])
    })
  ),
  row('has the signature of an outsider', ['ban COMMIT_UNKNOWN_SIGNER'], () =>
    badCommit((forge, height) => forge.signedBy(height, {}, [...forge.validators.slice(0, 2), OUTSIDER]))
  ),
  row('is out of order', ['ban COMMIT_WRONG_ORDER'], () =>
    badCommit((forge, height) => forge.signedBy(height, {}, [...forge.validators].reverse()))
  ),
  row('is of another chain', ['ban COMMIT_BAD_SIGNATURE'], () =>
    badCommit((forge, height) => forge.signedBy(height, { genesisHash: OTHER }))
  ),
  row('is of another round', ['ban COMMIT_BAD_SIGNATURE'], () =>
    badCommit((forge, height) => forge.signedBy(height, { round: 1 }))
  ),
  row('is of prevotes', ['ban COMMIT_BAD_SIGNATURE'], () =>
    badCommit((forge, height) => forge.signedBy(height, { type: VoteType.PREVOTE }))
  )
]

describe.each<[string, readonly Row[]]>([
  ['answers what was not asked', RANGES],
  ['sends bad blocks', BLOCKS],
  ['sends a commit that', COMMITS]
])('a full sync beside a peer that %s', (_, rows) => {
  it.each(rows)('$name → $verdicts', async (row) => {
    expect(await fullSyncBeside(row)).toEqual(goodEnding(row))
  })
})

it('of a bad block deep in a range only what is not good is asked for again', async () => {
  const scene = await Scene.open(uncertified(() => ({ mmrRoot: OTHER })))
  const { client, hostile } = scene
  await client.synced(TIP)
  const first = hostile.asked[0]
  expect(first?.count).toBeGreaterThan(DEEP)
  const range = heights(first as Wanted)
  const again = range.filter((height) => scene.askedOfHonest.has(height))
  expect(again).toEqual(range.slice(DEEP))
  expect(client.state.lastRun?.peersUsed).toBe(3)
})
