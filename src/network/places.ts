/**
 * Who keeps a place when there are more who want one than there are: pure. The same at all three doors: sockets before
 * Noise, peers before Hello, and sessions.
 *
 * Ids are free and addresses are not, so what counts first is how crowded a network is. From those of the lowest rank one
 * leaves: of the most crowded network, within it of the most crowded part, and there who is of the least use. A newcomer
 * whose own network is as crowded as any competes there, and as the newest it goes first among equals. So whoever fills all
 * places from a few addresses keeps out nobody but himself. Before Hello the newest is of most use and the oldest goes: an
 * honest handshake takes moments.
 */
import type { PeerGossip } from './gossip-admission.ts'

/** What a peer is to us. Those of a higher rank never make room for those of a lower. */
export const Rank = {
  /** Anybody. */
  OTHER: 0,
  /** We have reached it before, at an address of its own. */
  KNOWN: 1,
  /** We have chosen it: a bootstrap peer, or one that we dialled. */
  CHOSEN: 2,
  /** It has proven to be a validator. */
  VALIDATOR: 3
} as const
export type Rank = (typeof Rank)[keyof typeof Rank]

/** What a peer has sent by gossip that was of no use here, for each message that was, from which on it is of none itself. */
const USELESS_EACH = 16

/**
 * Of how much use a peer is, to be compared within a rank: its gossip score. Who sends next to nothing but what is of no use loses
 * no score by it, as that may be for our clock or chain; among those who have to share places it is last all the same.
 */
export function useOf(score: number, gossip: PeerGossip): number {
  const useless = gossip.useless + gossip.dropped
  return useless >= USELESS_EACH * (gossip.accepted + 1) ? Number.NEGATIVE_INFINITY : score
}

export interface Holder {
  /** From the widest to the narrowest, the last one is the host; as many for everybody. */
  readonly networks: readonly string[]
  readonly rank: Rank
  /** More is better. */
  readonly use: number
  /** Monotonic ms. */
  readonly since: number
}

export interface Places {
  readonly max: number
  /** Of one host, those of a rank below CHOSEN. */
  readonly perHost: number
}

/** @returns who has to leave, which may be the newcomer; undefined: there is room for all */
export function whoLeaves<H extends Holder>(newcomer: H, holders: readonly H[], places: Places): H | undefined {
  const all = [...holders, newcomer]
  const atHost = all.filter((one) => one.rank < Rank.CHOSEN && hostOf(one) === hostOf(newcomer))
  if (newcomer.rank < Rank.CHOSEN && atHost.length > places.perHost) return leastOf(lowest(atHost))
  if (all.length <= places.max) return undefined
  return fromMostCrowded(movable(all, places.max), newcomer)
}

/** Those of the lowest rank. Being known is cheap for who has time: with more than half of the places they are as all others. */
function movable<H extends Holder>(all: readonly H[], max: number): readonly H[] {
  const known = all.filter(({ rank }) => rank === Rank.KNOWN)
  return known.length > max / 2 ? all.filter(({ rank }) => rank <= Rank.KNOWN) : lowest(all)
}

function lowest<H extends Holder>(all: readonly H[]): readonly H[] {
  const rank = Math.min(...all.map((one) => one.rank))
  return all.filter((one) => one.rank === rank)
}

function fromMostCrowded<H extends Holder>(all: readonly H[], newcomer: H): H {
  let group = all
  const levels = newcomer.networks.length
  for (let level = 0; level < levels; level += 1) {
    const parts = partsOf(group, level)
    const size = Math.max(...parts.map((part) => part.length))
    const largest = parts.filter((part) => part.length === size)
    group = largest.find((part) => part.includes(newcomer)) ?? (largest[0] as H[])
  }
  return leastOf(group)
}

function partsOf<H extends Holder>(group: readonly H[], level: number): H[][] {
  const parts = new Map<string, H[]>()
  for (const one of group) {
    const network = one.networks[level] ?? ''
    parts.set(network, [...(parts.get(network) ?? []), one])
  }
  return [...parts.values()]
}

function leastOf<H extends Holder>(all: readonly H[]): H {
  return all.reduce((least, one) =>
    one.use < least.use || (one.use === least.use && one.since >= least.since) ? one : least
  )
}

function hostOf({ networks }: Holder): string {
  return networks.at(-1) ?? ''
}
