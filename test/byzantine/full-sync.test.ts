import { describe, expect, it } from 'vitest'
import { VoteType } from '../../src/chain/vote.ts'
import { concatBytes, toHex } from '../../src/codec/bytes.ts'
import { joinBlock, joinFinalized, splitBlock, splitFinalized } from '../../src/codec/raw.ts'
import { DEFAULT_SETTINGS } from '../../src/network/settings.ts'
import type { GoodbyeName } from '../../src/network/types.ts'
import {
  atSnapshot,
  badBlock,
  badCommit,
  certified,
  DEEP,
  heights,
  offSnapshot,
  serving,
  uncertified
} from './support/bad-blocks.ts'
import * as claims from './support/bad-claims.ts'
import * as wire from './support/bad-wire.ts'
import { honestChain, TIP } from './support/chain.ts'
import * as floods from './support/floods.ts'
import { flipped, OUTSIDER } from './support/forge.ts'
import type { Role, Wanted } from './support/hostile.ts'
import { Scene, type SceneOptions } from './support/scene.ts'

interface Row extends SceneOptions {
  readonly name: string
  readonly role: () => Role
  /** `<verdict> <code>`, as src/network/verdicts.ts has it; none: nothing that it did is provably its fault. */
  readonly verdicts: readonly string[]
  /** Deeds that are waited for; default 1. */
  readonly deeds?: number
}

type RowOptions = SceneOptions & Pick<Row, 'deeds'>

function row(name: string, verdicts: readonly string[], role: () => Role, options: RowOptions = {}): Row {
  return { name, verdicts, role, ...options }
}

/** What a peer is told by verdict; with any other it stays. */
const GOODBYES: Record<string, GoodbyeName> = { ban: 'BANNED', disconnect: 'FAULT' }

const OTHER = new Uint8Array(32).fill(7)

/** The node says its Status no more often than it must: a few lies are not yet many. */
const RARELY: RowOptions = { tuning: { network: { statusPushMs: 5000 } } }

const HEIGHTS: readonly Row[] = [
  row('claims a height without a commit', ['penalise BAD_STATUS'], () => claims.claiming(() => undefined), RARELY),
  row('claims it again and again', ['penalise BAD_STATUS', 'disconnect BAD_STATUS'], claims.insisting),
  row(
    'claims a height with a forged commit',
    ['penalise BAD_STATUS'],
    () =>
      claims.claiming((forge, header) =>
        forge.commitOf(header, [{ key: OUTSIDER }, { key: OUTSIDER }, { key: OUTSIDER }])
      ),
    RARELY
  ),
  row(
    'claims a height with too few signatures',
    ['penalise BAD_STATUS'],
    () =>
      claims.claiming((forge, header) =>
        forge.commitOf(
          header,
          forge.validators.slice(0, 2).map((key) => ({ key }))
        )
      ),
    RARELY
  ),
  row(
    'claims a height with the commit of another block',
    ['penalise BAD_STATUS'],
    () => claims.claiming(claims.otherCommit),
    RARELY
  ),
  row('gossips finalized blocks of heights that there are not', [], floods.finalizedFlood, { deeds: 20 }),
  row('holds back all that it claims', [], () => serving(() => [])),
  row('alone claims the newest blocks and holds them back', [], () => serving(() => []), {
    honestHeight: TIP - 20
  })
]

/** The honest peers come when it has been given up: that is to be seen, and they are not to be in a hurry. */
const ALONE: RowOptions = { honestHeight: 0, tuning: { network: { firstByteMs: 500, frameMs: 500, answerMs: 1000 } } }

const TIME: readonly Row[] = [
  row('accepts requests and never answers', ['penalise PEER_TIMEOUT'], () => wire.silent('given up'), ALONE),
  row('is late with the first byte', ['penalise PEER_TIMEOUT'], () => wire.slowFirstByte('given up', 1000), ALONE),
  row('sends a frame that trickles', ['penalise PEER_TIMEOUT'], () => wire.trickle('given up'), ALONE),
  row('sends slow frames', ['penalise PEER_TIMEOUT'], () => wire.slowFrames('given up', 250), ALONE),
  row('stalls in the middle', ['penalise PEER_TIMEOUT'], () => wire.stallInTheMiddle('given up'), ALONE),
  // Here nobody would be late yet: that others are asked as well is what saves the sync.
  row('is silent for long', [], () => wire.silent('asked')),
  row('is slow for long', [], () => wire.slowFrames('asked', 1000)),
  row('trickles for long', [], () => wire.trickle('asked')),
  row('stalls for long', [], () => wire.stallInTheMiddle('asked')),
  row('resets in the middle', [], wire.resetInTheMiddle),
  row('limits us for a month', [], () => wire.limiting(2 ** 32 - 1)),
  row('limits us for a millisecond, each time', [], () => wire.limiting(1)),
  row('says nothing to Hello', [], claims.silentHello),
  row('says nothing to Status', [], claims.silentStatus)
]

const WIRE: readonly Row[] = [
  row('closes without an answer', [], wire.emptyAnswer),
  row('sends a frame of no blocks', ['disconnect BAD_FRAME'], wire.emptyFrame),
  row('sends a block more than asked', ['disconnect TOO_MUCH'], wire.oneTooMany),
  row('sends frames without end', ['disconnect TOO_MUCH'], wire.endlessAnswer),
  row('sends a frame above the limit', ['disconnect FRAME_TOO_LARGE'], wire.oversizedFrame),
  row('declares a frame of a terabyte', ['disconnect FRAME_TOO_LARGE'], wire.lengthBomb),
  row('sends a length without end', ['disconnect BAD_FRAME'], wire.endlessLength),
  row('sends garbage', ['disconnect BAD_FRAME'], wire.garbage),
  // Protons cannot read a value that an enum does not have: a new code needs a new protocol.
  row('refuses for an unknown reason', ['disconnect BAD_FRAME'], wire.unknownRefusal),
  row('sends two Statuses for one', ['disconnect BAD_FRAME'], claims.twoStatuses),
  row('sends a garbled Status', ['disconnect BAD_FRAME'], claims.garbledStatus),
  row('declares a Status of a terabyte', ['disconnect FRAME_TOO_LARGE'], claims.statusBomb)
]

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
  row('certifies another version', ['ban BAD_VERSION'], () => certified(() => ({ version: 2 }))),
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

const quotas = { ...DEFAULT_SETTINGS.quotas, blocks: { burst: 16, perSecond: 16, concurrent: 4 } }

const FLOODS: readonly Row[] = [
  row('requests', [], floods.requestFlood, { deeds: 200, tuning: { network: { quotas } } }),
  row('streams', [], floods.streamFlood, { deeds: 200 }),
  row('connections', [], floods.connectionFlood, { deeds: 150 }),
  row('votes for the far future', [], floods.voteFlood, { deeds: 1000 })
]

describe.each([
  ['lies about heights', HEIGHTS],
  ['wastes time', TIME],
  ['abuses the wire', WIRE],
  ['answers what was not asked', RANGES],
  ['sends bad blocks', BLOCKS],
  ['sends a commit that', COMMITS],
  ['floods us with', FLOODS]
] as const)('a full sync beside a peer that %s', (_, rows) => {
  it.each(rows)('$name → $verdicts', async ({ role, verdicts, deeds = 1, ...options }) => {
    const { client, hostile, honest, lost } = await Scene.open(role(), options)
    await client.synced(TIP)
    await client.until('the deeds', () => hostile.deeds >= deeds)
    await client.until('the verdict', () => client.verdictsOn(hostile.peerId).length >= verdicts.length)
    expect(client.verdictsOn(hostile.peerId)).toEqual(verdicts)

    const last = verdicts.at(-1)?.split(' ') ?? []
    const goodbye = GOODBYES[last[0] ?? '']
    if (goodbye !== undefined) await client.until('the goodbye', () => hostile.farewells.length > 0)
    expect(hostile.farewells).toEqual(goodbye === undefined ? [] : [goodbye])
    const { held } = (await client.get('/v1/peers')).body
    expect(held).toMatchObject(
      goodbye === undefined ? [] : [{ peer_id: hostile.peerId, verdict: last[0], code: last[1] }]
    )

    for (const { network } of honest) expect(client.verdictsOn(network.peerId)).toEqual([])
    expect(lost).toEqual([])
    expect((await client.get('/health/ready')).status).toBe(200)
    expect(client.most.targetHeight).toBe(TIP)
    expect(client.isBounded, JSON.stringify(client.most)).toBe(true)
    const hash = toHex(honestChain().maker.head.tip.hash)
    expect(await client.stored()).toEqual({ height: TIP, hash, fault: undefined })
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
