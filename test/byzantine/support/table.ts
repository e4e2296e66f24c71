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
      const { client, hostile, honest, lost } = await Scene.open(role(), options)
      await client.synced(TIP)
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
      expect((await client.get('/health/ready')).status).toBe(200)
      expect(client.most.targetHeight).toBe(TIP)
      expect(client.isBounded, JSON.stringify(client.most)).toBe(true)
      const hash = toHex(honestChain().maker.head.tip.hash)
      expect(await client.stored()).toEqual({ height: TIP, hash, fault: undefined })
    })
  })
}
