/** The restore table of docs/validators.md for a chain with one validator: real homes, nobody else to hear. */
import '../../src/polyfill.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { Outcome as EventOutcome, signEvent } from '../../src/chain/event.ts'
import { createGenesis } from '../../src/chain/genesis.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { hasCode } from '../../src/error.ts'
import { silentLog } from '../../src/log.ts'
import { defaultConfig } from '../../src/node/config/load.ts'
import { createHome } from '../../src/node/create-home.ts'
import { startNode } from '../../src/node/node.ts'
import type { RunningNode } from '../../src/node/running.ts'
import { adoptSigner, inspectSigner, resetSigner } from '../../src/node/signer-tools.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/until.ts'
import { befall, CELLS, copyHome, type How, type Part, settle } from './support/restore.ts'
import { Signatures } from './support/signatures.ts'

const SEED = new Uint8Array(32).fill(1)
const key = keyPairFromSeed(SEED)
const genesis = createGenesis({
  chainId: 'alone',
  timestamp: Date.now() - 60_000,
  validators: [{ name: 'v1', publicKey: key.publicKey }],
  params: { blockIntervalMs: 5, emptyBlockIntervalMs: 3_600_000 }
})
const settings = { 'p2p.listen': ['/ip4/127.0.0.1/tcp/0'], 'p2p.mdns': false, 'api.port': 0 }
const PATIENCE = { timeout: 15_000, interval: 10 }

const start = (home: string): Promise<RunningNode> => startNode(defaultConfig(home, settings), silentLog)

let events = 0
/** A block is made when an event waits: so the key signs no height that is not decided. */
async function grow(node: RunningNode, blocks: number): Promise<void> {
  for (let i = 0; i < blocks; i++) {
    const target = node.height + 1
    const resource = { kind: 'file', id: `f${events++}` }
    const fields = { timestamp: Date.now(), action: 'write', resource, outcome: EventOutcome.SUCCESS, metadata: [] }
    const { bytes } = signEvent(genesis.hash, key, fields)
    const headers = { 'content-type': 'application/x-protobuf' }
    const answer = await fetch(`${node.apiUrl}/v1/events`, { method: 'POST', headers, body: bytes })
    expect(answer.status).toBe(202)
    await waitFor(() => expect(node.height).toBeGreaterThanOrEqual(target), PATIENCE)
  }
}

async function growHome(home: string, blocks: number): Promise<number> {
  const node = await start(home)
  await grow(node, blocks)
  await node.stop()
  return node.height
}

const template = { dir: '', height: 0 }
beforeAll(async () => {
  template.dir = mkdtempSync(join(tmpdir(), 'moloch-restore-'))
  const [home, backup] = [join(template.dir, 'home'), join(template.dir, 'backup')]
  await createHome({ home, genesis, settings, seeds: { validator: SEED }, isNewKey: true })
  await growHome(home, 3)
  copyHome(home, backup)
  template.height = await growHome(home, 3)
})
afterAll(() => rmSync(template.dir, { recursive: true, force: true }))

/** A home, a copy of it that was made three blocks before, and what the key signed in it. */
async function lived(): Promise<{ home: string; backup: string; signatures: Signatures; height: number }> {
  const dir = tempDir()
  const [home, backup] = [join(dir, 'home'), join(dir, 'backup')]
  copyHome(join(template.dir, 'home'), home)
  copyHome(join(template.dir, 'backup'), backup)
  await settle(home)
  const signatures = new Signatures()
  await signatures.takeHome(home, genesis, key)
  expect(signatures.count).toBe(template.height + 2)
  return { home, backup, signatures, height: template.height }
}

interface Outcome {
  /** Of a start that failed. */
  readonly code?: string
  readonly message?: string
  readonly abstains?: string | null
  readonly ready?: string
  /** Blocks that were made. */
  readonly made?: number
}

/** Starts it, and looks at what it does: signs, or says why not. */
async function outcomeOf(home: string): Promise<Outcome> {
  let node: RunningNode
  try {
    node = await start(home)
  } catch (error) {
    if (hasCode(error, 'SIGNER_CORRUPT') || hasCode(error, 'STORE_CORRUPT'))
      return { code: error.code, message: error.message }
    throw error
  }
  onTestFinished(() => node.stop())
  const before = node.height
  const get = async (path: string) => (await fetch(`${node.apiUrl}${path}`)).json() as Promise<Record<string, unknown>>
  const abstains = await waitFor(async () => {
    const status = (await get('/v1/status')) as { abstains: string | null }
    expect(status.abstains ?? '').not.toMatch(/looked through its chain/)
    return status.abstains
  }, PATIENCE)
  if (abstains === null) await grow(node, 2)
  const health = await get('/health/ready')
  await node.stop()
  return { abstains, ready: String(health.code ?? 'ready'), made: node.height - before }
}

const SIGNS: Outcome = { abstains: null, ready: 'ready' }
const waits = {
  abstains: expect.stringMatching(/^signs nothing below height \d+: .*put the newest data\/chain back/),
  made: 0
}
const stops = (code: string, what: RegExp) => ({ abstains: expect.stringMatching(what), ready: code, made: 0 })
const ADOPT = /moloch signer adopt/
const RESET = /moloch signer reset --above HEIGHT/
const CORRUPT = {
  code: 'SIGNER_CORRUPT',
  message: expect.stringMatching(/see to the disk, then: moloch signer reset$/)
}
const DAMAGED = {
  code: 'STORE_CORRUPT',
  message: expect.stringMatching(/restore it from a copy, or remove the folder/)
}

const TABLE: Readonly<Record<How, Readonly<Record<Part, unknown>>>> = {
  older: { chain: waits, signer: SIGNS, mark: stops('SIGNER_COPIED', ADOPT), all: stops('SIGNER_COPIED', ADOPT) },
  newer: {
    chain: stops('SIGNER_COPIED', ADOPT),
    signer: stops('SIGNER_COPIED', ADOPT),
    mark: waits,
    all: stops('SIGNER_COPIED', ADOPT)
  },
  empty: {
    chain: waits,
    signer: SIGNS,
    mark: stops('SIGNER_MARK_MISSING', ADOPT),
    all: stops('SIGNER_MISSING', RESET)
  },
  damaged: { chain: DAMAGED, signer: CORRUPT, mark: stops('SIGNER_MARK_DAMAGED', ADOPT), all: DAMAGED }
}

describe('alone', () => {
  test.each(CELLS)('%s %s: nothing is signed twice, and it says what to do', async (how, part) => {
    const { home, backup, signatures } = await lived()
    befall(home, backup, how, part)
    const outcome = await outcomeOf(home)
    expect(outcome).toMatchObject(TABLE[how][part] as object)
    if (outcome.code === undefined) await signatures.takeHome(home, genesis, key)
  })
})

describe('what it says to do', () => {
  test('a damaged log is put aside, and the key signs above the mark', async () => {
    const { home, backup, signatures, height } = await lived()
    befall(home, backup, 'damaged', 'signer')
    await expect(inspectSigner(home)).rejects.toMatchObject({ code: 'SIGNER_CORRUPT' })
    expect(await resetSigner(home, undefined, false)).toBeGreaterThanOrEqual(height)
    expect(await inspectSigner(home)).toMatchObject({ state: 'sound', code: null })
    await growHome(home, 2)
    await signatures.takeHome(home, genesis, key)
  })

  test('a home that was moved is adopted', async () => {
    const { home, backup, signatures } = await lived()
    befall(home, backup, 'newer', 'all')
    expect(await inspectSigner(home)).toMatchObject({ state: 'doubt', code: 'SIGNER_COPIED' })
    await adoptSigner(home, false)
    await growHome(home, 2)
    await signatures.takeHome(home, genesis, key)
    await expect(adoptSigner(home, false)).rejects.toMatchObject({ code: 'SIGNER_SOUND' })
  })

  test('a log that lacks something cannot be adopted, and a height below what was signed is refused, unless forced', async () => {
    const { home, backup, height } = await lived()
    befall(home, backup, 'older', 'signer')
    befall(home, backup, 'newer', 'all')
    await expect(adoptSigner(home, false)).rejects.toMatchObject({ code: 'SIGNER_CONFLICT' })
    await expect(resetSigner(home, undefined, false)).rejects.toMatchObject({ code: 'BAD_OPTION' })
    await expect(resetSigner(home, height - 2, false)).rejects.toMatchObject({ code: 'SIGNER_CONFLICT' })
    expect(await resetSigner(home, height + 5, false)).toBe(height + 5)
    expect(await resetSigner(home, height, true)).toBe(height)
    await growHome(home, 2)
  })

  test('a home that is made anew for a key that was used: it signs nothing', async () => {
    const { home, signatures } = await lived()
    rmSync(home, { recursive: true })
    await createHome({ home, genesis, settings, seeds: { validator: SEED } })
    expect(await inspectSigner(home)).toMatchObject({ state: 'doubt', code: 'SIGNER_MISSING' })
    expect(await outcomeOf(home)).toMatchObject(stops('SIGNER_MISSING', /moloch signer adopt --new-key/))
    await signatures.takeHome(home, genesis, key)
  })

  test('force without a height changes nothing', async () => {
    const { home } = await lived()
    const before = await inspectSigner(home)
    expect(before.state).toBe('sound')
    await expect(resetSigner(home, undefined, true)).rejects.toMatchObject({ code: 'BAD_OPTION' })
    expect(await inspectSigner(home)).toEqual(before)
  })

  test('a home of which only the key is left has to be told a height', async () => {
    const { home, backup } = await lived()
    befall(home, backup, 'empty', 'all')
    await expect(resetSigner(home, undefined, false)).rejects.toMatchObject({ code: 'BAD_OPTION' })
    expect(await resetSigner(home, 1000, false)).toBe(1000)
    expect(await outcomeOf(home)).toMatchObject({ abstains: expect.stringMatching(/^signs nothing below height 1001/) })
  })
})
