import { describe, expect, it } from 'vitest'
import { DEFAULT_SETTINGS } from '../../src/network/settings.ts'
import { serving } from './support/bad-blocks.ts'
import * as claims from './support/bad-claims.ts'
import * as wire from './support/bad-wire.ts'
import { TIP } from './support/chain.ts'
import * as floods from './support/floods.ts'
import { OUTSIDER } from './support/forge.ts'
import { SHORT_TIMES, STEP_MS } from './support/short-times.ts'
import { fullSyncBeside, goodEnding, type Row, type RowOptions, row } from './support/table.ts'

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
const ALONE: RowOptions = { honestHeight: 0, tuning: { network: SHORT_TIMES } }

const TIME: readonly Row[] = [
  row('accepts requests and never answers', ['penalise PEER_TIMEOUT'], () => wire.silent('given up'), ALONE),
  row(
    'is late with the first byte',
    ['penalise PEER_TIMEOUT'],
    () => wire.slowFirstByte('given up', 2 * STEP_MS),
    ALONE
  ),
  row('sends a frame that trickles', ['penalise PEER_TIMEOUT'], () => wire.trickle('given up'), ALONE),
  row('sends slow frames', ['penalise PEER_TIMEOUT'], () => wire.slowFrames('given up', STEP_MS / 2), ALONE),
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

const quotas = { ...DEFAULT_SETTINGS.quotas, blocks: { burst: 16, perSecond: 16, concurrent: 4 } }

const FLOODS: readonly Row[] = [
  row('requests', ['disconnect REQUEST_FLOOD'], floods.requestFlood, { deeds: 50, tuning: { network: { quotas } } }),
  row('streams', ['disconnect REQUEST_FLOOD'], floods.streamFlood, { deeds: 100 }),
  row('connections', [], floods.connectionFlood, { deeds: 150 }),
  row('votes for the far future', [], floods.voteFlood, { deeds: 1000 })
]

describe.each<[string, readonly Row[]]>([
  ['lies about heights', HEIGHTS],
  ['wastes time', TIME],
  ['abuses the wire', WIRE],
  ['floods us with', FLOODS]
])('a full sync beside a peer that %s', (_, rows) => {
  it.each(rows)('$name → $verdicts', async (row) => {
    expect(await fullSyncBeside(row)).toEqual(goodEnding(row))
  })
})
