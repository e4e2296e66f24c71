import { toHex } from '../../../src/codec/bytes.ts'
import type { GoodbyeName } from '../../../src/network/types.ts'
import { honestChain, TIP } from './chain.ts'
import type { Client } from './client.ts'
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

/** What became of the peers that a node met. */
export interface Dealings {
  /** On the hostile one. */
  readonly verdicts: readonly string[]
  /** Goodbyes that it was told and none of its verdicts brings. */
  readonly wrongGoodbyes: readonly string[]
  /** Whom the API shows as held off, and for what. */
  readonly held: readonly { readonly who: 'the hostile one' | 'another'; readonly verdict: string }[]
  readonly verdictsOnHonest: readonly string[]
  /** Why sessions with honest peers ended. */
  readonly lost: readonly string[]
}

/** What a sync beside a hostile peer comes to. */
export interface Ending extends Dealings {
  /** Of its readiness. */
  readonly httpStatus: number
  /** The highest that was ever aimed at. */
  readonly target: number
  /** What it took that was too much. */
  readonly excess: Client['most'] | undefined
  /** Of what it has stored. */
  readonly tip: { readonly height: number; readonly hash: string }
  /** Of what it has stored, or a conflict. */
  readonly fault: string | undefined
}

/** Syncs a whole node beside the peer, to the tip. */
export async function fullSyncBeside({ role, verdicts, deeds, ...options }: Row): Promise<Ending> {
  const scene = await Scene.open(role(), options)
  const { client } = scene
  await client.synced(TIP)
  const shown = await shownBy(scene, verdicts, deeds)
  const { fault, ...tip } = await client.stored()
  return { ...shown, tip, fault }
}

/** The same for a light node, beside honest peers that have nothing before the hostile one has struck: it is asked first. */
export async function lightSyncBeside({ role, verdicts, deeds, ...options }: Row): Promise<Ending> {
  const settings = { mode: 'light', ...options.settings }
  const scene = await Scene.open(role(), { honestHeight: 0, ...options, settings })
  const { client } = scene
  await client.until('the tip', () => client.node.height === TIP)
  const calm = () => client.state.stalled === undefined && client.state.strategy === 'gossip'
  const shown = await shownBy(scene, verdicts, deeds, calm)
  const { conflict, ...tip } = await client.trusted()
  return { ...shown, tip, fault: conflict }
}

/** What a running node shows after the deeds, the verdicts, and `calm`. */
async function shownBy(scene: Scene, verdicts: readonly string[], deeds?: number, calm = () => true) {
  const { client } = scene
  const dealings = await dealingsIn(scene, verdicts, deeds)
  await client.until('a calm sync', calm)
  const { status } = await client.get('/health/ready')
  const excess = client.isBounded ? undefined : client.most
  return { ...dealings, httpStatus: status, target: client.most.targetHeight, excess }
}

/** How every sync has to end, whoever was beside it. */
export function goodEnding({ verdicts }: Pick<Row, 'verdicts'>): Ending {
  return { ...justDealings(verdicts), httpStatus: 200, target: TIP, excess: undefined, tip: TRUE_TIP, fault: undefined }
}

/** Where every honest node comes to. */
export const TRUE_TIP = {
  height: TIP,
  get hash() {
    return toHex(honestChain().maker.head.tip.hash)
  }
}

/** These verdicts and what follows from them; nothing for anybody else. */
export function justDealings(verdicts: readonly string[]): Dealings {
  const last = verdicts.at(-1)
  const held = last === undefined || goodbyeFor(last) === undefined ? [] : [last]
  return {
    verdicts,
    wrongGoodbyes: [],
    held: held.map((verdict) => ({ who: 'the hostile one', verdict })),
    verdictsOnHonest: [],
    lost: []
  }
}

/** Waits for the deeds and for as many verdicts as these. */
export async function dealingsIn(scene: Scene, verdicts: readonly string[], deeds = 1): Promise<Dealings> {
  const { client, hostile, honest, lost } = scene
  await client.until('the deeds', () => hostile.deeds >= deeds)
  await client.until('the verdict', () => client.verdictsOn(hostile.peerId).length >= verdicts.length)
  const found = client.verdictsOn(hostile.peerId)
  const goodbye = goodbyeFor(found.at(-1))
  // Whoever floods us may not hear it; that it is out shows in any case.
  if (goodbye !== undefined) await client.until('its leaving', () => !hostile.isConnectedTo(client.node.peerId))
  const { held } = (await client.get('/v1/peers')).body as {
    held: { peer_id: string; verdict: string; code: string }[]
  }
  return {
    verdicts: found,
    wrongGoodbyes: hostile.farewells.filter((reason) => reason !== goodbye),
    held: held.map(({ peer_id, verdict, code }) => ({
      who: peer_id === hostile.peerId ? 'the hostile one' : 'another',
      verdict: `${verdict} ${code}`
    })),
    verdictsOnHonest: honest.flatMap(({ network }) => client.verdictsOn(network.peerId)),
    lost: [...lost]
  }
}

function goodbyeFor(verdict = ''): GoodbyeName | undefined {
  return GOODBYES[verdict.split(' ')[0] ?? '']
}
