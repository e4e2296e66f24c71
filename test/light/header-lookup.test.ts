import { describe, expect, it, onTestFinished } from 'vitest'
import type { CheckedHeader } from '../../src/chain/check-header.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { HeaderLookup, skipTo } from '../../src/light/header-lookup.ts'
import { LightChain } from '../../src/light/light-chain.ts'
import { silentLog } from '../../src/log.ts'
import { tempDir } from '../support/temp-dir.ts'
import { checkedHeader, remade } from '../support/trusted-headers.ts'
import { type Behaviour, Peers, refuse } from './support/peers.ts'
import { ServedChain } from './support/served-chain.ts'

type Bytes = Uint8Array<ArrayBuffer>

const served = new ServedChain(30, { eventsPerBlock: 0 })
const other = new ServedChain(30, { eventsPerBlock: 1 })
const OTHER: Bytes = new Uint8Array(32).fill(7)

const header = (height: number): CheckedHeader =>
  checkedHeader(served.chain.maker, served.headers[height - 1] as Uint8Array)
const path = (height: number, anchor: number) => served.headerProof(height, anchor).mmrPath

async function lightChain(): Promise<LightChain> {
  const chain = await LightChain.open({ path: tempDir(), genesis: served.genesis, log: silentLog })
  onTestFinished(() => chain.close())
  return chain
}

const changed =
  (changes: Parameters<typeof remade>[2]): Behaviour['headers'] =>
  async (start) => ({
    peaks: served.peaks(start),
    headers: [remade(served.chain.maker, served.headers[start - 1] as Uint8Array, changes)]
  })

/** What each does with a header that is asked for, and what it is told for it. */
const LIARS: Readonly<Record<string, Behaviour>> = {
  few: { headers: changed({ signers: [0, 1] }) },
  certified: { headers: changed({ header: { eventsRoot: OTHER } }) },
  root: { headers: changed({ mmrRoot: OTHER }) },
  height: {
    headers: async (start) => ({
      peaks: [],
      headers: [served.headers[start] ?? (served.headers[0] as Bytes)] as Bytes[]
    })
  },
  path: { proof: async () => ({ header: { ...served.headerProof(3, 20), mmrPath: [] } }) },
  kind: { proof: async () => ({ event: other.eventProof(3, 0, 20) }) },
  lacking: { headers: refuse('UNAVAILABLE') }
}

describe('a header that was skipped', () => {
  it('is had from the peer whose header and path hold; the others are told what they did', async () => {
    const chain = await lightChain()
    await chain.skip(header(20), served.peaks(20), path(0, 20))
    const peers = new Peers(served, { ...LIARS, honest: {} })
    const lookup = new HeaderLookup({ ...peers, chain })
    expect(toHex((await lookup.at(3)).hash)).toBe(toHex(header(3).hash))
    expect(peers.blamed).toEqual([
      'few COMMIT_TOO_FEW',
      'certified BAD_MMR_ROOT',
      'root BAD_MMR_ROOT',
      'height BAD_HEIGHT',
      'path BAD_MMR_ROOT',
      'kind PROOF_WRONG_KIND',
      'lacking UNAVAILABLE'
    ])
    expect(peers.needed).toEqual([{ from: 3, to: 20 }])
    // And is kept.
    expect(await chain.trustedAt(3)).toEqual(served.headers[2])
    expect(chain.conflict).toBeUndefined()
  })

  it('is not had while all lie, and nothing is kept', async () => {
    const chain = await lightChain()
    await chain.skip(header(20), served.peaks(20), path(0, 20))
    const { lacking: _, ...liars } = LIARS
    const lookup = new HeaderLookup({ ...new Peers(served, liars), chain })
    await expect(lookup.at(3)).rejects.toMatchObject({ code: 'NO_ANSWER' })
    expect(await chain.trustedAt(3)).toBeUndefined()
  })

  it('is not looked for once another certified chain was seen', async () => {
    const chain = await lightChain()
    await chain.skip(header(20), served.peaks(20), path(0, 20))
    const forged = remade(served.chain.maker, served.headers[19] as Uint8Array, { header: { eventsRoot: OTHER } })
    await expect(chain.apply([checkedHeader(served.chain.maker, forged)])).rejects.toMatchObject({
      code: 'CONFLICTING_FINALITY'
    })
    const peers = new Peers(served, { a: {}, b: {} })
    await expect(new HeaderLookup({ ...peers, chain }).at(3)).rejects.toMatchObject({ code: 'CONFLICTING_FINALITY' })
    expect(peers.blamed).toEqual([])
  })
})

describe('a skip', () => {
  it('goes to the header of the peer whose all holds', async () => {
    const chain = await lightChain()
    await chain.apply([1, 2, 3].map(header))
    const peers = new Peers(served, {
      few: LIARS.few as Behaviour,
      root: LIARS.root as Behaviour,
      peaks: { headers: async () => ({ peaks: served.peaks(19), headers: [served.headers[19] as Bytes] }) },
      path: { proof: async () => ({ header: { ...served.headerProof(3, 20), mmrPath: [] } }) },
      honest: {},
      unasked: {}
    })
    await skipTo({ ...peers, chain }, 20)
    expect(chain.tip).toMatchObject({ height: 20, hash: header(20).hash })
    expect(peers.blamed).toEqual(['few COMMIT_TOO_FEW', 'root BAD_MMR_ROOT', 'peaks BAD_MMR_ROOT', 'path BAD_PARENT'])
    expect(peers.asked).not.toContain('unasked')
    // Its peer has to prove that our tip is of its chain.
    expect(peers.needed).toEqual([{ from: 3, to: 20 }])
  })

  it('onto another certified chain is evidence: kept, and the end of following; its peer is not to blame', async () => {
    const chain = await lightChain()
    await chain.apply([1, 2, 3].map(header))
    const peers = new Peers(other, { fork: {}, more: {} })
    await expect(skipTo({ ...peers, chain }, 20)).rejects.toMatchObject({ code: 'CONFLICTING_FINALITY' })
    expect(chain.conflict).toMatchObject({ height: 3 })
    expect(await chain.evidence()).toHaveLength(1)
    expect([chain.tip.height, peers.blamed]).toEqual([3, []])
    expect(peers.asked).not.toContain('more')
  })

  it('to where the tip is already asks for nothing', async () => {
    const chain = await lightChain()
    await chain.apply([1, 2, 3].map(header))
    const peers = new Peers(served, { a: {} })
    await skipTo({ ...peers, chain }, 3)
    expect(peers.asked).toEqual([])
  })
})
