/**
 * Four validators, of which as many are silent as may be: the others need the one that is in doubt, so the heights that it waits for
 * never pass. What it says to do is done, and the chain goes on.
 */
import '../../src/polyfill.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createGenesis } from '../../src/chain/genesis.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { silentLog } from '../../src/log.ts'
import { defaultConfig } from '../../src/node/config/load.ts'
import { createHome } from '../../src/node/create-home.ts'
import { homePaths } from '../../src/node/home.ts'
import { startNode } from '../../src/node/node.ts'
import type { RunningNode } from '../../src/node/running.ts'
import { adoptSigner, inspectSigner, resetSigner } from '../../src/node/signer-tools.ts'
import { waitFor } from '../support/until.ts'
import { befall, copyHome } from './support/restore.ts'
import { Signatures } from './support/signatures.ts'

const PATIENCE = { timeout: 30_000, interval: 20 }
const SEEDS = [1, 2, 3, 4].map((seed) => new Uint8Array(32).fill(seed))
const genesis = createGenesis({
  chainId: 'standing',
  timestamp: Date.now() - 60_000,
  validators: SEEDS.map((seed, i) => ({ name: `v${i}`, publicKey: keyPairFromSeed(seed).publicKey })),
  params: { blockIntervalMs: 50, emptyBlockIntervalMs: 50 }
})

const dir = mkdtempSync(join(tmpdir(), 'moloch-standing-'))
const homeOf = (index: number): string => join(dir, `v${index}`)
const home = homeOf(0)
const nodes = new Map<number, RunningNode>()
const addresses = new Map<number, string>()
/** Of the first, in all its lives. */
const signatures = new Signatures()

async function start(...indexes: number[]): Promise<void> {
  for (const index of indexes) {
    const settings = {
      'p2p.listen': [addresses.get(index)?.replace(/\/p2p\/.*/, '') ?? '/ip4/127.0.0.1/tcp/0'],
      'p2p.bootstrap': [...addresses].filter(([other]) => other !== index).map(([, address]) => address),
      'p2p.mdns': false,
      'api.port': 0
    }
    const node = await startNode(defaultConfig(homeOf(index), settings), silentLog)
    nodes.set(index, node)
    addresses.set(index, node.addresses()[0] as string)
  }
}

async function stop(...indexes: number[]): Promise<void> {
  for (const index of indexes) {
    await nodes.get(index)?.stop()
    nodes.delete(index)
  }
}

const heightOf = (index: number): number => nodes.get(index)?.height ?? 0

async function abstains(index: number): Promise<string | null> {
  const answer = await fetch(`${nodes.get(index)?.apiUrl}/v1/status`)
  return ((await answer.json()) as { abstains: string | null }).abstains
}

const says = (index: number, what: RegExp) => waitFor(async () => expect(await abstains(index)).toMatch(what), PATIENCE)

async function goesOn(index: number): Promise<void> {
  const height = heightOf(index)
  await waitFor(() => expect(heightOf(index)).toBeGreaterThan(height + 1), PATIENCE)
}

const NEW_KEY =
  /^signs nothing below height \d+: .*if they need it.*if this key has never signed.*moloch signer adopt --new-key/

beforeAll(async () => {
  for (const [index, seed] of SEEDS.entries()) {
    // Of the first three keys nobody said anything.
    await createHome({ home: homeOf(index), genesis, seeds: { validator: seed }, isNewKey: index === 3 })
  }
})

afterAll(async () => {
  await stop(...nodes.keys())
  rmSync(dir, { recursive: true, force: true })
})

test('a new chain whose keys have no marks begins when they are said to be new', async () => {
  await start(0, 1, 2)
  for (const index of [0, 1, 2]) await says(index, NEW_KEY)
  expect(heightOf(0)).toBe(0)
  await stop(0, 1, 2)
  await expect(adoptSigner(home, false)).rejects.toMatchObject({ code: 'SIGNER_CONFLICT' })
  for (const index of [0, 1, 2]) expect(await adoptSigner(homeOf(index), true)).toBe(0)
  await start(0, 1, 2)
  await goesOn(0)
}, 60_000)

test('a new validator whose vote the chain stands for', async () => {
  await stop(2)
  await start(3)
  await says(3, NEW_KEY)
  const height = heightOf(0)
  await stop(3)
  expect(await inspectSigner(homeOf(3))).toMatchObject({ state: 'doubt', code: 'SIGNER_MISSING' })
  expect(heightOf(0)).toBe(height)
  expect(await adoptSigner(homeOf(3), true)).toBe(0)
  await start(3)
  await goesOn(0)
}, 60_000)

test('a home that was moved, without a word: it waits, nothing of it is lost meanwhile, and it is adopted', async () => {
  await stop(0)
  await signatures.takeHome(home, genesis, keyPairFromSeed(SEEDS[0] as Uint8Array))
  const { log_height } = await inspectSigner(home)
  befall(home, home, 'newer', 'all')
  await start(0)
  await says(0, /^signs nothing below height \d+: .*if they need it.*moloch signer adopt$/)
  const height = heightOf(1)
  await stop(0)
  expect(heightOf(1)).toBe(height)
  expect(await inspectSigner(home)).toMatchObject({ state: 'doubt', code: 'SIGNER_COPIED', log_height })
  await expect(adoptSigner(home, true)).rejects.toMatchObject({ code: 'SIGNER_CONFLICT' })
  const copy = join(dir, 'copy')
  copyHome(home, copy)
  expect(await resetSigner(copy, log_height as number, false)).toBe(log_height)
  expect(await adoptSigner(home, false)).toBe(log_height)
  await start(0)
  await goesOn(1)
}, 60_000)

test('a lost log, under the newest mark: it is put back', async () => {
  await stop(0)
  await signatures.takeHome(home, genesis, keyPairFromSeed(SEEDS[0] as Uint8Array))
  const copy = join(dir, 'log')
  copyHome(homePaths(home).signer, copy)
  befall(home, home, 'empty', 'signer')
  await start(0)
  // What it signed last may be decided or not; if it is, it signs above that.
  const words = await waitFor(async () => {
    const said = await abstains(0)
    expect(said ?? '').not.toMatch(/until it has heard/)
    return said
  }, PATIENCE)
  if (words !== null) expect(words).toMatch(/if they need it for that: put the newest data\/signer back$/)
  await stop(0)
  if (words !== null) copyHome(copy, homePaths(home).signer)
  await start(0)
  await goesOn(1)
  await stop(0)
  await signatures.takeHome(home, genesis, keyPairFromSeed(SEEDS[0] as Uint8Array))
}, 60_000)
