import { describe, expect, it } from 'vitest'
import { VoteType } from '../../src/chain/vote.ts'
import { concatBytes } from '../../src/codec/bytes.ts'
import { DEEP, heights, offSnapshot } from './support/bad-blocks.ts'
import {
  badHeader,
  certifiedHeader,
  commitAt,
  honestHeader,
  OTHER,
  otherHeader,
  otherSeal,
  servingHeaders,
  signedBy,
  uncertifiedHeader
} from './support/bad-headers.ts'
import * as wire from './support/bad-wire.ts'
import { honestChain, TIP } from './support/chain.ts'
import { Forge, OUTSIDER, type Signing } from './support/forge.ts'
import type { Role } from './support/hostile.ts'
import { SHORT_TIMES, STEP_MS } from './support/short-times.ts'
import { goodEnding, lightSyncBeside, type Row, type RowOptions, row } from './support/table.ts'

type Bytes = Uint8Array<ArrayBuffer>

const HEADERS: readonly Row[] = [
  row('of other heights than asked', ['disconnect BAD_HEIGHT'], () =>
    servingHeaders(({ count }) => heights({ start: TIP / 2, count: Math.min(count, TIP / 2) }).map(honestHeader))
  ),
  row('in the wrong order', ['disconnect BAD_HEIGHT'], () =>
    servingHeaders((wanted) => heights(wanted).map(honestHeader).reverse())
  ),
  row('but leaves one out', ['disconnect BAD_HEIGHT'], () =>
    servingHeaders((wanted) =>
      heights(wanted)
        .filter((height) => height !== wanted.start + DEEP)
        .map(honestHeader)
    )
  ),
  row('with a field more', ['ban NON_CANONICAL'], () =>
    badHeader((height) => concatBytes(honestHeader(height), Uint8Array.of((14 << 3) | 0, 1)))
  ),
  row('above the limit', ['ban TOO_LARGE'], () =>
    badHeader((height) => concatBytes(honestHeader(height), new Uint8Array(4096)))
  ),
  row('with a forged seal', ['ban BAD_SEAL'], () => badHeader(otherSeal)),
  row('with another parent', ['ban COMMIT_WRONG_BLOCK'], () => uncertifiedHeader({ parentHash: OTHER })),
  row('with another MMR root', ['ban COMMIT_WRONG_BLOCK'], () => uncertifiedHeader({ mmrRoot: OTHER })),
  row('with another state root', ['ban COMMIT_WRONG_BLOCK'], () => uncertifiedHeader({ stateRoot: OTHER })),
  // It is under no signature: what is proven from it would be whatever the peer likes.
  row('with another root after the block', ['disconnect BAD_MMR_ROOT'], () =>
    certifiedHeader(() => ({ mmrRoot: OTHER }))
  ),
  // Only a quorum of validators can bring these about; whether the peer has checked them rests on its chain being ours.
  row('that certify another MMR root', ['disconnect BAD_MMR_ROOT'], () =>
    certifiedHeader(() => ({ header: { mmrRoot: OTHER } }))
  ),
  row('that certify a state root too soon', ['disconnect BAD_STATE_ROOT'], () =>
    certifiedHeader(() => ({ header: { stateRoot: OTHER } }), offSnapshot)
  ),
  row('that certify a time that goes back', ['disconnect BAD_TIMESTAMP'], () =>
    certifiedHeader(() => ({ header: { timestamp: 1 } }))
  ),
  row('that certify another height', ['disconnect BAD_HEIGHT'], () =>
    certifiedHeader((height) => ({ header: { height: height + 1000 } }))
  ),
  row('that certify another version', ['disconnect BAD_VERSION'], () =>
    certifiedHeader(() => ({ header: { version: 2 } }))
  ),
  row('that certify another set of validators', ['ban BAD_VALIDATORS_HASH'], () =>
    certifiedHeader(() => ({ header: { validatorsHash: OTHER } }))
  ),
  row('that name a proposer who is none', ['ban BAD_PROPOSER'], () =>
    certifiedHeader(() => ({ header: { proposer: OUTSIDER.publicKey as Bytes } }))
  )
]

const COMMITS: readonly Row[] = [
  row('of another block', ['ban COMMIT_WRONG_BLOCK'], () =>
    badHeader((height) => otherHeader(height, { commit: commitAt(height - 1) }))
  ),
  row('with too few signatures', ['ban COMMIT_TOO_FEW'], () => signedBy(([a, b]) => [a, b] as never)),
  row('with one signer twice', ['ban COMMIT_REPEATED_SIGNER'], () => signedBy(([a, b]) => [a, b, b] as never)),
  row('with an outsider', ['ban COMMIT_UNKNOWN_SIGNER'], () => signedBy(([a, b]) => [a, b, OUTSIDER] as never)),
  row('out of order', ['ban COMMIT_WRONG_ORDER'], () => signedBy((all) => [...all].reverse())),
  row('of another chain', ['ban COMMIT_BAD_SIGNATURE'], () => signing({ genesisHash: OTHER })),
  row('of another round', ['ban COMMIT_BAD_SIGNATURE'], () => signing({ round: 1 })),
  row('of prevotes', ['ban COMMIT_BAD_SIGNATURE'], () => signing({ type: VoteType.PREVOTE }))
]

function signing(how: Omit<Signing, 'key'>): Role {
  const forge = new Forge(honestChain())
  return badHeader((height) => otherHeader(height, { commit: forge.signedBy(height, how) }))
}

const QUICK: RowOptions = { tuning: { network: SHORT_TIMES } }

const TIME: readonly Row[] = [
  row('accepts requests and never answers', ['penalise PEER_TIMEOUT'], () => wire.silent('given up'), QUICK),
  row(
    'is late with the first byte',
    ['penalise PEER_TIMEOUT'],
    () => wire.slowFirstByte('given up', 2 * STEP_MS),
    QUICK
  ),
  row('sends a frame that trickles', ['penalise PEER_TIMEOUT'], () => wire.trickle('given up'), QUICK),
  row('sends slow frames', ['penalise PEER_TIMEOUT'], () => wire.slowFrames('given up', STEP_MS / 2), QUICK),
  row('stalls in the middle', ['penalise PEER_TIMEOUT'], () => wire.stallInTheMiddle('given up'), QUICK),
  // Here nobody would be late yet: that others are asked as well is what saves the sync.
  row('is silent for long', [], () => wire.silent('asked')),
  row('trickles for long', [], () => wire.trickle('asked')),
  row('resets in the middle', [], wire.resetInTheMiddle),
  row('limits us for a month', [], () => wire.limiting(2 ** 32 - 1))
]

const WIRE: readonly Row[] = [
  row('closes without an answer', [], wire.emptyAnswer),
  row('sends a frame of no headers', ['disconnect BAD_FRAME'], wire.emptyFrame),
  row('sends a header more than asked', ['disconnect TOO_MUCH'], wire.oneTooMany),
  row('sends frames without end', ['disconnect TOO_MUCH'], wire.endlessAnswer),
  row('sends a frame above the limit', ['disconnect FRAME_TOO_LARGE'], wire.oversizedFrame),
  row('declares a frame of a terabyte', ['disconnect FRAME_TOO_LARGE'], wire.lengthBomb),
  row('sends garbage', ['disconnect BAD_FRAME'], wire.garbage)
]

describe.each<[string, readonly Row[]]>([
  ['sends headers', HEADERS],
  ['sends a commit', COMMITS],
  ['wastes time', TIME],
  ['abuses the wire', WIRE]
])("a light node's sync beside a peer that %s", (_, rows) => {
  it.each(rows)('$name → $verdicts', async (row) => {
    expect(await lightSyncBeside(row)).toEqual(goodEnding(row))
  })
})
