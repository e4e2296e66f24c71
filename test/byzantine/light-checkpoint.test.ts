import { describe, expect, it } from 'vitest'
import { blockHash } from '../../src/chain/domain.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { TrustedHeader } from '../../src/codec/generated/chain.ts'
import * as headers from './support/bad-headers.ts'
import * as wire from './support/bad-wire.ts'
import { honestChain, TIP } from './support/chain.ts'
import { Client } from './support/client.ts'
import { HostilePeer, type Role } from './support/hostile.ts'
import { SHORT_TIMES } from './support/short-times.ts'
import { goodEnding, lightSyncBeside, type Row, type RowOptions, row } from './support/table.ts'

/** Height of the checkpoint. */
const AT = 100

function checkpoint(height: number, hash = honestChain().blocks[height - 1]?.hash as Uint8Array): string {
  return `${height}:${toHex(hash)}`
}

const BEGIN: RowOptions = {
  settings: { checkpoint: checkpoint(AT) },
  tuning: { network: SHORT_TIMES }
}
const SKIP: RowOptions = { settings: { 'light.skip': true } }
const asAsked = ({ start }: { readonly start: number }): number => start

const GIVES: readonly Row[] = [
  row('with other peaks', ['disconnect BAD_MMR_ROOT'], headers.badPeaks, BEGIN),
  row(
    'with another root after the block',
    ['disconnect BAD_MMR_ROOT'],
    () => headers.certifiedHeader(() => ({ mmrRoot: headers.OTHER }), asAsked),
    BEGIN
  ),
  row(
    'with too few signatures',
    ['ban COMMIT_TOO_FEW'],
    () => headers.certifiedHeader(() => ({ signers: [0, 1] }), asAsked),
    BEGIN
  ),
  row('with a forged seal', ['ban BAD_SEAL'], () => headers.badHeader(headers.otherSeal, asAsked), BEGIN),
  row(
    'of another height',
    ['disconnect BAD_HEIGHT'],
    () => headers.servingHeaders(({ start }) => [headers.honestHeader(start + 1)]),
    BEGIN
  ),
  row('never', ['penalise PEER_TIMEOUT'], () => wire.silent('given up'), BEGIN),
  row('as a frame of a terabyte', ['disconnect FRAME_TOO_LARGE'], wire.lengthBomb, BEGIN)
]

const SKIPPED: readonly Row[] = [
  row(
    'with another root after the block',
    ['disconnect BAD_MMR_ROOT'],
    () => headers.certifiedHeader(() => ({ mmrRoot: headers.OTHER }), asAsked),
    SKIP
  ),
  row('with other peaks', ['disconnect BAD_MMR_ROOT'], headers.badPeaks, SKIP),
  row(
    'with too few signatures',
    ['ban COMMIT_TOO_FEW'],
    () => headers.certifiedHeader(() => ({ signers: [0, 1] }), asAsked),
    SKIP
  )
]

describe.each<[string, readonly Row[]]>([
  ['gives the checkpoint', GIVES],
  ['is skipped to', SKIPPED]
])("a light node's sync beside a peer that %s", (_, rows) => {
  it.each(rows)('$name → $verdicts', async (row) => {
    expect(await lightSyncBeside(row)).toEqual(goodEnding(row))
  })
})

/** What a start at this checkpoint beside nobody but this peer fails with. */
async function refusedStart(at: string, role: Role) {
  const hostile = new HostilePeer(() => {})
  await hostile.start(role)
  const error = await Client.start([hostile.address], { settings: { mode: 'light', checkpoint: at } }).then(
    () => undefined,
    (thrown: Error & { code: string }) => thrown
  )
  return { error, peer: hostile.peerId }
}

it('another certified header at the checkpoint’s height ends the start, with both hashes in one line', async () => {
  const forged = headers.otherHeader(AT, { header: { eventsRoot: headers.OTHER } })
  const role = headers.badHeader(() => forged, asAsked)
  const { error } = await refusedStart(checkpoint(AT), role)
  expect(error).toMatchObject({ code: 'WRONG_CHECKPOINT' })
  const { header } = TrustedHeader.decode(forged)
  const offered = toHex(blockHash(honestChain().genesis.hash, header as NonNullable<typeof header>))
  expect(error?.message).toContain(`expected ${toHex(honestChain().blocks[AT - 1]?.hash as Uint8Array)}`)
  expect(error?.message).toContain(offered)
  expect(error?.message).not.toContain('\n')
})

it('a checkpoint that is mistyped is refused by the true header', async () => {
  const { error } = await refusedStart(checkpoint(AT, headers.OTHER), {})
  expect(error).toMatchObject({ code: 'WRONG_CHECKPOINT' })
  expect(error?.message).toContain(`expected ${toHex(headers.OTHER)}`)
  expect(error?.message).toContain(toHex(honestChain().blocks[AT - 1]?.hash as Uint8Array))
})

it('a checkpoint above all that peers have, or that they do not give, is unavailable in time', async () => {
  const [above, silent] = await Promise.all([
    refusedStart(checkpoint(TIP + 1, headers.OTHER), {}),
    refusedStart(checkpoint(AT), wire.silent('asked'))
  ])
  for (const { error } of [above, silent]) {
    expect(error).toMatchObject({ code: 'CHECKPOINT_UNAVAILABLE' })
    expect(error?.message).toContain(`blocks 1 to ${TIP}`)
    expect(error?.message).not.toContain('\n')
  }
})
