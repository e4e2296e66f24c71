import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { atSnapshot, badBlock, heights, offSnapshot, serving } from './support/bad-blocks.ts'
import * as wire from './support/bad-wire.ts'
import { honestChain, TIP } from './support/chain.ts'
import { flipped } from './support/forge.ts'
import type { Role } from './support/hostile.ts'
import { Scene, type SceneOptions } from './support/scene.ts'

interface Row extends SceneOptions {
  readonly name: string
  readonly role: () => Role
  /** `<verdict> <code>`, as src/network/verdicts.ts has it; none: nothing that it did is provably a fault. */
  readonly verdict: string | undefined
}

function row(name: string, verdict: string | undefined, role: () => Role, options: SceneOptions = {}): Row {
  return { name, verdict, role, ...options }
}

const OTHER = new Uint8Array(32).fill(7)

const TIME: readonly Row[] = [
  row('accepts requests and never answers', undefined, wire.silent),
  row('is late with the first byte', undefined, wire.slowFirstByte),
  row('sends a frame that trickles', undefined, wire.trickle),
  row('sends frames in time that never come to an end', undefined, wire.slowFrames),
  row('stalls in the middle of an answer', undefined, wire.stallInTheMiddle),
  row('resets in the middle of an answer', undefined, wire.resetInTheMiddle)
]

const WIRE: readonly Row[] = [
  row('sends a frame of no blocks', 'disconnect BAD_FRAME', wire.emptyFrame),
  row('closes without an answer', undefined, wire.emptyAnswer),
  row('sends a block more than asked', 'disconnect TOO_MUCH', wire.oneTooMany),
  row('sends frames without end', 'disconnect TOO_MUCH', wire.endlessAnswer),
  row('sends a frame above the limit', 'disconnect FRAME_TOO_LARGE', wire.oversizedFrame),
  row('declares a frame of a terabyte', 'disconnect FRAME_TOO_LARGE', wire.lengthBomb),
  row('sends a length without end', 'disconnect BAD_FRAME', wire.endlessLength),
  row('sends garbage', 'disconnect BAD_FRAME', wire.garbage),
  row('is limiting for a month', undefined, () => wire.limiting(2 ** 32 - 1)),
  row('is limiting for a millisecond, for ever', undefined, () => wire.limiting(1)),
  row('refuses for an unknown reason', 'disconnect BAD_FRAME', wire.unknownRefusal)
]

const RANGES: readonly Row[] = [
  row('withholds what it claims', undefined, () => serving(() => [])),
  row('sends other heights than asked', 'disconnect BAD_HEIGHT', () =>
    serving(({ start, count }, forge) =>
      heights({ start: start > 100 ? 1 : 101, count }).map((height) => forge.honest(height))
    )
  ),
  row('sends blocks in the wrong order', 'disconnect BAD_HEIGHT', () =>
    serving((wanted, forge) =>
      heights(wanted)
        .reverse()
        .map((height) => forge.honest(height))
    )
  ),
  row('sends each block twice', 'disconnect BAD_HEIGHT', () =>
    serving(({ start, count }, forge) =>
      heights({ start: 0, count }).map((index) => forge.honest(start + Math.floor(index / 2)))
    )
  )
]

const BLOCKS: readonly Row[] = [
  row('changes a parent hash', 'ban COMMIT_WRONG_BLOCK', () =>
    badBlock((forge, height) => forge.uncertified(height, { header: () => ({ parentHash: OTHER }) }))
  ),
  row('shows a certified block with a bad MMR root', 'disconnect BAD_MMR_ROOT', () =>
    badBlock((forge, height) => forge.certified(height, { header: () => ({ mmrRoot: OTHER }) }))
  ),
  row('shows a certified block with a bad state root', 'disconnect BAD_STATE_ROOT', () =>
    badBlock((forge, height) => forge.certified(height, { header: () => ({ stateRoot: OTHER }) }), atSnapshot)
  ),
  row('shows a certified block with a state root too soon', 'disconnect BAD_STATE_ROOT', () =>
    badBlock((forge, height) => forge.certified(height, { header: () => ({ stateRoot: OTHER }) }), offSnapshot)
  ),
  row('breaks a seal', 'ban BAD_SEAL', () => badBlock((forge, height) => forge.uncertified(height, { seal: flipped })))
]

describe.each([
  ['time', TIME],
  ['the wire', WIRE],
  ['ranges', RANGES],
  ['blocks', BLOCKS]
] as const)('a full sync beside a peer that abuses %s', (_, rows) => {
  it.each(rows)('that $name: $verdict', async ({ role, verdict, ...options }) => {
    const { client, hostile, honest, lost } = await Scene.open(role(), options)
    await client.synced(TIP)
    await client.until('the deed', () => hostile.deeds > 0)
    if (verdict !== undefined) await client.until('the verdict', () => client.verdictsOn(hostile.peerId).length > 0)

    expect(client.verdictsOn(hostile.peerId)).toEqual(verdict === undefined ? [] : [verdict])
    for (const { network } of honest) expect(client.verdictsOn(network.peerId)).toEqual([])
    expect(lost).toEqual([])
    expect(client.most.targetHeight).toBe(TIP)
    expect(client.isBounded, JSON.stringify(client.most)).toBe(true)
    const hash = toHex(honestChain().maker.head.tip.hash)
    expect(await client.stored()).toEqual({ height: TIP, hash, fault: undefined })
  })
})
