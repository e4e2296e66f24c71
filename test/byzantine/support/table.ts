import { describe, expect, it } from 'vitest'
import { toHex } from '../../../src/codec/bytes.ts'
import type { GoodbyeName } from '../../../src/network/types.ts'
import { honestChain, TIP } from './chain.ts'
import type { Role } from './hostile.ts'
import { Scene, type SceneOptions } from './scene.ts'

export interface Row extends SceneOptions {
  readonly name: string
  readonly role: () => Role
  /** `<verdict> <code>`, as src/network/verdicts.ts has it; none: nothing that it did is provably its fault. */
  readonly verdicts: readonly string[]
  /** Deeds that are waited for; default 1. */
  readonly deeds?: number
}

export type RowOptions = SceneOptions & Pick<Row, 'deeds'>

export function row(name: string, verdicts: readonly string[], role: () => Role, options: RowOptions = {}): Row {
  return { name, verdicts, role, ...options }
}

/** What a peer is told by verdict; with any other it stays. */
const GOODBYES: Record<string, GoodbyeName> = { ban: 'BANNED', disconnect: 'FAULT' }

/** A full sync of a whole node beside each of these peers. */
export function fullSyncBeside(peers: string, rows: readonly Row[]): void {
  describe(`a full sync beside a peer that ${peers}`, () => {
    it.each(rows)('$name → $verdicts', async ({ role, verdicts, deeds = 1, ...options }) => {
      const scene = await Scene.open(role(), options)
      const { client } = scene
      await client.synced(TIP)
      await expectVerdicts(scene, verdicts, deeds)
      expect((await client.get('/health/ready')).status).toBe(200)
      expect(client.most.targetHeight).toBe(TIP)
      expect(client.isBounded, JSON.stringify(client.most)).toBe(true)
      expect(await client.stored()).toEqual({ ...TRUE_TIP, fault: undefined })
    })
  })
}

/** The same for a light node, beside honest peers that have nothing before the hostile one has struck: it is asked first. */
export function lightSyncBeside(peers: string, rows: readonly Row[]): void {
  describe(`a light node's sync beside a peer that ${peers}`, () => {
    it.each(rows)('$name → $verdicts', async ({ role, verdicts, deeds = 1, ...options }) => {
      const settings = { mode: 'light', ...options.settings }
      const scene = await Scene.open(role(), { honestHeight: 0, ...options, settings })
      const { client } = scene
      await client.until('the tip', () => client.node.height === TIP)
      await expectVerdicts(scene, verdicts, deeds)
      await client.until('a calm sync', () => client.state.stalled === undefined && client.state.strategy === 'gossip')
      expect((await client.get('/health/ready')).status).toBe(200)
      expect(client.most.targetHeight).toBe(TIP)
      expect(client.isBounded, JSON.stringify(client.most)).toBe(true)
      expect(await client.trusted()).toEqual({ ...TRUE_TIP, conflict: undefined })
    })
  })
}

/** Where every honest node comes to. */
export const TRUE_TIP = {
  height: TIP,
  get hash() {
    return toHex(honestChain().maker.head.tip.hash)
  }
}

/** Waits for the deeds and the verdicts, which are these, and none on honest peers. */
export async function expectVerdicts(
  { client, hostile, honest, lost }: Scene,
  verdicts: readonly string[],
  deeds = 1
): Promise<void> {
  await client.until('the deeds', () => hostile.deeds >= deeds)
  await client.until('the verdict', () => client.verdictsOn(hostile.peerId).length >= verdicts.length)
  expect(client.verdictsOn(hostile.peerId)).toEqual(verdicts)

  const last = verdicts.at(-1)?.split(' ') ?? []
  const goodbye = GOODBYES[last[0] ?? '']
  // Whoever floods us may not hear it; that it is out shows in any case.
  if (goodbye !== undefined) await client.until('its leaving', () => !hostile.isConnectedTo(client.node.peerId))
  expect(hostile.farewells.filter((reason) => reason !== goodbye)).toEqual([])
  const { held } = (await client.get('/v1/peers')).body
  expect(held).toMatchObject(
    goodbye === undefined ? [] : [{ peer_id: hostile.peerId, verdict: last[0], code: last[1] }]
  )
  for (const { network } of honest) expect(client.verdictsOn(network.peerId)).toEqual([])
  expect(lost).toEqual([])
}
