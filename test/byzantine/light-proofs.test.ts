import { describe, expect, it } from 'vitest'
import { concatBytes, toHex, utf8 } from '../../src/codec/bytes.ts'
import type { Header } from '../../src/codec/generated/chain.ts'
import type { KeyProof } from '../../src/codec/generated/proof.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { MolochError } from '../../src/error.ts'
import { type HistoryKey, historyKey } from '../../src/light/verify/history-key.ts'
import { proofToJson } from '../../src/light/verify/proof-json.ts'
import { ServedChain } from '../light/support/served-chain.ts'
import {
  bent,
  consistencyProof,
  eventProof,
  headerProof,
  historyPage,
  historyProof,
  proofBomb,
  proving,
  rawProof,
  silentProof
} from './support/bad-proofs.ts'
import { honestChain, SNAPSHOT_INTERVAL, TIP } from './support/chain.ts'
import { flipped } from './support/forge.ts'
import type { Role } from './support/hostile.ts'
import { served } from './support/proving.ts'
import { Scene } from './support/scene.ts'
import { SHORT_TIMES } from './support/short-times.ts'
import { dealingsIn, justDealings, type Row, row, TRUE_TIP } from './support/table.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** Where the event is that is asked for. */
const HEIGHT = 77
const INDEX = 1

const refusing = (code: string): Role =>
  proving(() => {
    throw new MolochError(code, 'so it says')
  })

const EVENTS: readonly Row[] = [
  row('another anchor than asked', ['disconnect PROOF_WRONG_ANCHOR'], () =>
    proving(() => ({ event: served().eventProof(HEIGHT, INDEX, TIP - 1) }))
  ),
  row('no anchor', ['disconnect PROOF_WRONG_ANCHOR'], () =>
    proving(() => ({ event: served().eventProof(HEIGHT, INDEX, 0) }))
  ),
  row('another anchor by the asked one’s name', ['ban PROOF_MMR_PATH'], () =>
    proving(() => ({ event: { ...served().eventProof(HEIGHT, INDEX, TIP - 1), anchorHeight: TIP } }))
  ),
  row('another event', ['disconnect PROOF_WRONG_EVENT'], () =>
    proving(() => ({ event: served().eventProof(HEIGHT, INDEX + 1, TIP) }))
  ),
  row('another signature of the event', ['disconnect PROOF_WRONG_EVENT'], () =>
    eventProof(({ event }) => ({
      event: { ...(event as NonNullable<typeof event>), signature: flipped(event?.signature as Uint8Array) }
    }))
  ),
  row('the event in another chain’s tree', ['ban PROOF_EVENT_PATH'], () =>
    eventProof(({ event }) => ({ ...otherChain().eventProof(HEIGHT, INDEX, TIP), event }))
  ),
  row('a header of another chain’s validators', ['ban PROOF_HEADER'], () =>
    eventProof(({ header }) => ({
      header: { ...(header as Header), validatorsHash: otherChain().genesis.validators.hash as Uint8Array<ArrayBuffer> }
    }))
  ),
  row('another time of the block', ['ban PROOF_MMR_PATH'], () =>
    eventProof(({ header }) => ({ header: { ...(header as Header), timestamp: (header as Header).timestamp + 1 } }))
  ),
  row('a bent path to the events’ root', ['ban PROOF_EVENT_PATH'], () =>
    eventProof(({ eventPath }) => ({ eventPath: bent(eventPath) }))
  ),
  row('a cut path to the events’ root', ['ban PROOF_EVENT_PATH'], () =>
    eventProof(({ eventPath }) => ({ eventPath: eventPath.slice(1) }))
  ),
  row('a bent path to the MMR root', ['ban PROOF_MMR_PATH'], () =>
    eventProof(({ mmrPath }) => ({ mmrPath: bent(mmrPath) }))
  ),
  row('a cut path to the MMR root', ['ban PROOF_MMR_PATH'], () =>
    eventProof(({ mmrPath }) => ({ mmrPath: mmrPath.slice(0, -1) }))
  ),
  row('another place in the block', ['ban PROOF_EVENT_PATH'], () => eventProof(() => ({ eventIndex: INDEX + 1 }))),
  row('a place that the block has not', ['ban PROOF_EVENT_INDEX'], () => eventProof(() => ({ eventIndex: 3 }))),
  row('another count of events', ['ban PROOF_EVENT_INDEX'], () => eventProof(() => ({ eventCount: 4 }))),
  row('no header', ['disconnect BAD_FRAME'], () => eventProof(() => ({ header: undefined }))),
  row('another kind', ['disconnect BAD_FRAME'], () => proving(() => ({ header: served().headerProof(HEIGHT, TIP) }))),
  row('two kinds', ['disconnect BAD_FRAME'], () =>
    proving(({ event }) => ({ event, header: served().headerProof(HEIGHT, TIP) }))
  ),
  row('nothing', ['disconnect BAD_FRAME'], () => proving(() => ({}))),
  row('a field more', ['disconnect BAD_FRAME'], () =>
    rawProof((bytes) => concatBytes(bytes, Uint8Array.of((14 << 3) | 0, 1)))
  ),
  row('garbage', ['disconnect BAD_FRAME'], () => rawProof(() => new Uint8Array(200).fill(0xff))),
  row('megabytes', ['disconnect FRAME_TOO_LARGE'], () => rawProof(() => new Uint8Array(1 << 20))),
  row('a frame of a terabyte', ['disconnect FRAME_TOO_LARGE'], proofBomb),
  row('no answer', ['penalise PEER_TIMEOUT'], silentProof, {
    tuning: { network: SHORT_TIMES }
  }),
  // A refusal proves nothing, neither of the event nor of the peer: others are asked.
  row('that there is no such event', [], () => refusing('UNKNOWN_EVENT')),
  row('that the anchor is too old', [], () => refusing('ANCHOR_TOO_OLD')),
  row('that it is not there', [], () => refusing('UNAVAILABLE')),
  row('that it is asked too often', [], () => refusing('RATE_LIMITED'))
]

const HEADERS: readonly Row[] = [
  row('another header', ['disconnect PROOF_WRONG_HEADER'], () =>
    proving(() => ({ header: served().headerProof(HEIGHT + 1, TIP) }))
  ),
  row('a changed header', ['ban PROOF_MMR_PATH'], () =>
    headerProof(({ header }) => ({ header: { ...(header as Header), eventCount: 0 } }))
  ),
  row('another anchor than asked', ['disconnect PROOF_WRONG_ANCHOR'], () =>
    proving(() => ({ header: served().headerProof(HEIGHT, TIP - 1) }))
  ),
  row('a bent path', ['ban PROOF_MMR_PATH'], () => headerProof(({ mmrPath }) => ({ mmrPath: bent(mmrPath) })))
]

const HISTORIES: readonly Row[] = [
  row('between other headers', ['disconnect PROOF_WRONG_ANCHOR'], () =>
    proving(() => ({ consistency: served().consistencyProof(HEIGHT - 1, TIP) }))
  ),
  row('with a bent path', ['ban PROOF_CONSISTENCY_PATH'], () => consistencyProof(({ path }) => ({ path: bent(path) }))),
  row('with a cut path', ['ban PROOF_CONSISTENCY_PATH'], () =>
    consistencyProof(({ path }) => ({ path: path.slice(1) }))
  )
]

/** Whose events are asked for. */
const KEY = historyKey({ action: 'action-1' })
const swapped = ([one, two, ...rest]: readonly Bytes[]): Bytes[] => [two as Bytes, one as Bytes, ...rest]

const LISTS: readonly Row[] = [
  row('an event left out', ['ban PROOF_HISTORY_LENGTH'], () => historyPage(({ ids }) => ({ ids: ids.slice(1) }))),
  row('the newest event left out', ['ban PROOF_HISTORY_LENGTH'], () =>
    historyPage(({ ids }) => ({ ids: ids.slice(0, -1) }))
  ),
  row('an event too many', ['ban PROOF_HISTORY_LENGTH'], () =>
    historyPage(({ ids }) => ({ ids: [...ids, ...ids.slice(0, 1)] }))
  ),
  row('an event in place of another', ['ban PROOF_HISTORY_PAGE'], () => historyPage(({ ids }) => ({ ids: bent(ids) }))),
  row('two events swapped', ['ban PROOF_HISTORY_PAGE'], () => historyPage(({ ids }) => ({ ids: swapped(ids) }))),
  row('a beginning that is none', ['ban PROOF_HISTORY_PAGE'], () =>
    historyPage(({ prevHead }) => ({ prevHead: flipped(prevHead) as Bytes }))
  ),
  row('the history of another key', ['ban PROOF_KEY_PATH'], () =>
    proving(() => ({ history: served().historyProof(historyKey({ action: 'action-2' }), TIP) }))
  ),
  row('the absence of another key', ['ban PROOF_KEY_PATH'], () =>
    proving(() => ({ history: served().historyProof(farFrom(KEY), TIP) }))
  ),
  row('that there is no event', ['ban PROOF_HISTORY_LENGTH'], () => historyProof(() => ({ pages: [] }))),
  row('no leaf', ['ban PROOF_KEY_PATH'], () =>
    historyProof(({ state }) => ({ state: { ...(state as KeyProof), leaf: undefined }, pages: [] }))
  ),
  row('an older state', ['disconnect PROOF_WRONG_ANCHOR'], () =>
    proving(() => ({ history: served().historyProof(KEY, TIP - SNAPSHOT_INTERVAL) }))
  ),
  row('an older state by the newest’s name', ['ban PROOF_KEY_PATH'], () =>
    proving(() => ({ history: { ...served().historyProof(KEY, TIP - SNAPSHOT_INTERVAL), anchorHeight: TIP } }))
  ),
  row('no state', ['ban PROOF_MALFORMED'], () => historyProof(() => ({ state: undefined }))),
  row('an empty page', ['ban PROOF_HISTORY_LENGTH'], () => historyPage(() => ({ ids: [] }))),
  row('two pages', ['ban PROOF_HISTORY_LENGTH'], () => historyProof(({ pages }) => ({ pages: [...pages, ...pages] }))),
  row('a page without end', ['disconnect FRAME_TOO_LARGE'], () =>
    historyPage(({ ids }) => ({ ids: Array<Bytes>(5000).fill(ids[0] as Bytes) }))
  ),
  row('another kind', ['disconnect BAD_FRAME'], () => proving(() => ({ header: served().headerProof(HEIGHT, TIP) }))),
  row('no answer', ['penalise PEER_TIMEOUT'], silentProof, {
    tuning: { network: SHORT_TIMES }
  }),
  row('that its snapshot is not kept', [], () => refusing('ANCHOR_TOO_OLD')),
  row('that it has no snapshot', [], () => refusing('UNAVAILABLE'))
]

/** A key whose way down the trie parts from the other's at once. */
function farFrom({ index, key }: HistoryKey): HistoryKey {
  const side = (bytes: Uint8Array): number => (sha256(bytes)[0] as number) >>> 7
  for (let i = 0; ; i++) {
    const far = utf8(`far-${i}`)
    if (side(far) !== side(key)) return { index, key: far }
  }
}

let other: ServedChain | undefined

function otherChain(): ServedChain {
  other ??= new ServedChain(TIP, { ...honestChain().maker.spec, seed: 5 })
  return other
}

const WHAT = {
  event: () => ({
    path: `/v1/proofs/events/${toHex(served().eventId(HEIGHT, INDEX))}?anchor=${TIP}`,
    proof: { kind: 'event', proof: served().eventProof(HEIGHT, INDEX, TIP), anchor: served().anchor(TIP) } as const
  }),
  header: () => ({
    path: `/v1/proofs/headers/${HEIGHT}?anchor=${TIP}`,
    proof: { kind: 'header', proof: served().headerProof(HEIGHT, TIP), anchor: served().anchor(TIP) } as const
  }),
  consistency: () => ({
    path: `/v1/proofs/consistency?from=${HEIGHT}&to=${TIP}`,
    proof: {
      kind: 'consistency',
      proof: served().consistencyProof(HEIGHT, TIP),
      from: served().header(HEIGHT),
      to: served().header(TIP)
    } as const
  }),
  history: () => ({
    path: `/v1/proofs/history?action=action-1`,
    proof: { kind: 'history', proof: served().historyProof(KEY, TIP), anchor: served().anchor(TIP), key: KEY } as const
  })
}

/** Whom a light node asks first is left to chance: it is asked until it has asked the hostile one. */
const MOST_ASKED = 40

function proofsBeside(peers: string, what: keyof typeof WHAT, rows: readonly Row[]): void {
  describe(`a light node that asks for a proof beside a peer that ${peers}`, () => {
    it.each(rows)('$name → $verdicts', async ({ role, verdicts, ...options }) => {
      const scene = await Scene.open(role(), { honestAtOnce: true, settings: { mode: 'light' }, ...options })
      const { client, hostile, honest } = scene
      const everybody = [hostile.network, ...honest.map(({ network }) => network)].map(({ peerId }) => peerId)
      const holders = async (): Promise<string[]> =>
        (await client.get('/v1/peers')).body.peers.flatMap((peer: { peer_id: string; height: number }) =>
          peer.height === TIP ? [peer.peer_id] : []
        )
      await client.until('the tip', () => client.node.height === TIP)
      let known: string[] = []
      while (!everybody.every((id) => known.includes(id))) known = await holders()

      const { path, proof } = WHAT[what]()
      const answer = { status: 200, body: JSON.parse(JSON.stringify(proofToJson(honestChain().genesis, proof))) }
      for (let asked = 0; hostile.deeds === 0 && asked < MOST_ASKED; asked++) {
        expect(await client.get(path)).toEqual(answer)
      }
      expect(await dealingsIn(scene, verdicts)).toEqual(justDealings(verdicts))
      expect(await client.get(path)).toEqual(answer)
      expect((await client.get('/health/ready')).status).toBe(200)
      expect(await client.trusted()).toEqual({ ...TRUE_TIP, conflict: undefined })
    })
  })
}

proofsBeside('answers for an event with', 'event', EVENTS)
proofsBeside('answers for a header with', 'header', HEADERS)
proofsBeside('answers for the history', 'consistency', HISTORIES)
proofsBeside('answers for all events of a key with', 'history', LISTS)
