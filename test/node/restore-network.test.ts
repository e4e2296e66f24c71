/** The restore table of docs/validators.md in a network: four validators, each a whole node, and a peer that keeps all that they sign. */
import '../../src/polyfill.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createGenesis } from '../../src/chain/genesis.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { hasCode } from '../../src/error.ts'
import { silentLog } from '../../src/log.ts'
import { defaultConfig } from '../../src/node/config/load.ts'
import { createHome } from '../../src/node/create-home.ts'
import { homePaths } from '../../src/node/home.ts'
import { startNode } from '../../src/node/node.ts'
import type { RunningNode } from '../../src/node/running.ts'
import { resetSigner } from '../../src/node/signer-tools.ts'
import { Observer } from '../../src/observer/observer.ts'
import { waitFor } from '../support/until.ts'
import { befall, CELLS, copyHome, type How, type Part } from './support/restore.ts'
import { Signatures } from './support/signatures.ts'

const PATIENCE = { timeout: 30_000, interval: 20 }
const SEEDS = [1, 2, 3, 4].map((seed) => new Uint8Array(32).fill(seed))
const genesis = createGenesis({
  chainId: 'restore',
  timestamp: Date.now() - 60_000,
  validators: SEEDS.map((seed, i) => ({ name: `v${i}`, publicKey: keyPairFromSeed(seed).publicKey })),
  params: { blockIntervalMs: 100, emptyBlockIntervalMs: 100 }
})
const key = keyPairFromSeed(SEEDS[0] as Uint8Array)

const dir = mkdtempSync(join(tmpdir(), 'moloch-restore-'))
const homeOf = (index: number): string => join(dir, `v${index}`)
const home = homeOf(0)
const backup = join(dir, 'backup')
const nodes = new Map<number, RunningNode>()
const addresses = new Map<number, string>()
/** Of the validator that is put back: all of its life, and the height of each signature since it was last started. */
const signatures = new Signatures()
let heights: number[] = []
let observer: Observer

async function start(index: number): Promise<RunningNode> {
  const known = addresses.get(index)
  const settings = {
    'p2p.listen': [known?.replace(/\/p2p\/.*/, '') ?? '/ip4/127.0.0.1/tcp/0'],
    'p2p.bootstrap': [...addresses].filter(([other]) => other !== index).map(([, address]) => address),
    'p2p.mdns': false,
    'api.port': 0
  }
  const node = await startNode(defaultConfig(homeOf(index), settings), silentLog)
  nodes.set(index, node)
  addresses.set(index, node.addresses()[0] as string)
  return node
}

async function stop(index: number): Promise<void> {
  await nodes.get(index)?.stop()
  nodes.delete(index)
}

const tip = (): number => nodes.get(1)?.height ?? 0
const abstains = async (index = 0): Promise<string | null> => {
  const answer = await fetch(`${nodes.get(index)?.apiUrl}/v1/status`)
  return ((await answer.json()) as { abstains: string | null }).abstains
}

/** It signs, at a height that no earlier life was at. */
async function signsAgain(): Promise<void> {
  await waitFor(async () => expect(await abstains()).toBeNull(), PATIENCE)
  const seen = heights.length
  await waitFor(() => expect(heights.length).toBeGreaterThan(seen), PATIENCE)
}

beforeAll(async () => {
  for (const [index, seed] of SEEDS.entries()) {
    await createHome({ home: homeOf(index), genesis, seeds: { validator: seed }, isNewKey: true })
    await start(index)
  }
  observer = await Observer.create({ genesis, bootstrap: [...addresses.values()], log: silentLog, userAgent: 'test' })
  observer.on('observed', (seen) => {
    if (seen.type !== 'message') return
    const { message } = seen
    if (message.type === 'new-block' && genesis.validators.proposer(message.height, message.round) === 0) {
      signatures.add(message.height, message.round, 'PROPOSAL', message.hash)
      heights.push(message.height)
    } else if ((message.type === 'prevote' || message.type === 'precommit') && message.validator === 0) {
      signatures.add(message.height, message.round, message.type.toUpperCase(), message.hash ?? '')
      heights.push(message.height)
    }
  })
  await observer.start()
  // Who came when the chain was under way waits for two heights as well, and more than one that waits would stop it.
  for (const index of nodes.keys()) await waitFor(async () => expect(await abstains(index)).toBeNull(), PATIENCE)
  await signsAgain()
  await stop(0)
  copyHome(home, backup)
  await start(0)
  await signsAgain()
}, 120_000)

afterAll(async () => {
  await observer.stop()
  for (const index of [...nodes.keys()]) await stop(index)
  rmSync(dir, { recursive: true, force: true })
})

/** What a start says that fails, and what it says to do. */
const REFUSED: Readonly<Partial<Record<`${How} ${Part}`, readonly string[]>>> = {
  'damaged chain': ['STORE_CORRUPT'],
  'damaged signer': ['SIGNER_CORRUPT'],
  'damaged all': ['STORE_CORRUPT', 'SIGNER_CORRUPT']
}

/** Starts it, doing what it says to do as often as it fails. @returns the codes */
async function startAsTold(): Promise<string[]> {
  const codes: string[] = []
  for (;;) {
    try {
      await start(0)
      return codes
    } catch (error) {
      if (hasCode(error, 'STORE_CORRUPT')) {
        expect(error.message).toMatch(/remove the folder and sync again/)
        rmSync(homePaths(home).chain, { recursive: true })
      } else if (hasCode(error, 'SIGNER_CORRUPT')) {
        expect(error.message).toMatch(/moloch signer reset$/)
        // With the mark gone too a height has to be named.
        await resetSigner(home, undefined, false).catch(() => resetSigner(home, tip() + 2, false))
      } else throw error
      codes.push(String(error.code))
    }
  }
}

test.each(CELLS)(
  '%s %s: nothing is signed twice, and the validator signs again by itself',
  async (how, part) => {
    await stop(0)
    await signatures.takeHome(home, genesis, key)
    const last = Math.max(...heights)
    heights = []
    befall(home, backup, how, part)
    expect(await startAsTold()).toEqual(REFUSED[`${how} ${part}`] ?? [])
    await signsAgain()
    // At the last height, where the log was there, it may say again what it had said.
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(last)
  },
  60_000
)

test('all four together, of the whole table: the chain stood while they were away, and goes on', async () => {
  for (const index of [0, 1, 2, 3]) await stop(index)
  for (const index of [0, 1, 2, 3]) await start(index)
  const before = tip()
  await waitFor(() => expect(tip()).toBeGreaterThan(before + 2), PATIENCE)
  await signsAgain()
}, 60_000)
