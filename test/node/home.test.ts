import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createGenesis, type Genesis } from '../../src/chain/genesis.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { MolochError } from '../../src/error.ts'
import { createHome } from '../../src/node/create-home.ts'
import { keyPath, openHome, readGenesisFile, resolveHome } from '../../src/node/home.ts'
import { createKeyFile, createPeerKeyFile, readKeyFile, readPeerKeyFile } from '../../src/node/key-files.ts'

const SEED = new Uint8Array(32).fill(7)
const genesis: Genesis = createGenesis({
  chainId: 'home-test',
  timestamp: 1_700_000_000_000,
  validators: [{ name: 'a', publicKey: keyPairFromSeed(SEED).publicKey }]
})

let dir: string
let home: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'moloch-home-'))
  home = join(dir, 'deep', 'home')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function modeOf(path: string): number {
  return statSync(path).mode & 0o777
}

function failure(run: () => unknown): MolochError {
  try {
    run()
  } catch (error) {
    if (error instanceof MolochError) return error
    throw error
  }
  throw new Error('did not fail')
}

describe('createHome', () => {
  test('makes what openHome reads, closed to others', async () => {
    await createHome({ home, genesis, settings: { 'api.port': 0 } })
    const opened = openHome(home)
    expect(opened.genesis.hash).toEqual(genesis.hash)
    expect(opened.validatorKey).toBeUndefined()
    expect(modeOf(join(home, 'keys'))).toBe(0o700)
    for (const name of ['peer', 'chain', 'actor'] as const) expect(modeOf(keyPath(home, name))).toBe(0o600)
    expect(modeOf(join(home, 'config.toml'))).toBe(0o600)
    expect(readdirSync(home).sort()).toEqual(['config.toml', 'data', 'genesis.json', 'keys', 'logs'])
    expect(readdirSync(join(dir, 'deep'))).toEqual(['home'])
  })

  test("a validator's chain key is its validator key", async () => {
    await createHome({ home, genesis, seeds: { validator: SEED } })
    const opened = openHome(home)
    expect(opened.validatorKey).toEqual(keyPairFromSeed(SEED))
    expect(opened.chainKey).toEqual(opened.validatorKey)
    expect(existsSync(keyPath(home, 'chain'))).toBe(false)
  })

  test('the same seeds make the same keys', async () => {
    const seeds = { peer: SEED, chain: SEED, actor: SEED }
    await createHome({ home, genesis, seeds })
    await createHome({ home: `${home}2`, genesis, seeds })
    expect(openHome(home).peerKey.equals(openHome(`${home}2`).peerKey)).toBe(true)
  })

  test('fills an empty directory that is there already (a mounted volume)', async () => {
    mkdirSync(home, { recursive: true })
    const { ino } = statSync(home)
    await createHome({ home, genesis })
    openHome(home)
    expect(statSync(home).ino).toBe(ino)
    expect(readdirSync(home).sort()).toEqual(['config.toml', 'data', 'genesis.json', 'keys', 'logs'])
  })

  test('leaves a directory with anything in it alone', async () => {
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, 'thesis.txt'), 'x')
    await expect(createHome({ home, genesis })).rejects.toMatchObject({ code: 'HOME_EXISTS' })
    expect(readdirSync(home)).toEqual(['thesis.txt'])
  })

  test('a validator key that is not in the genesis makes nothing', async () => {
    await expect(createHome({ home, genesis, seeds: { validator: new Uint8Array(32) } })).rejects.toMatchObject({
      code: 'KEY_NOT_IN_GENESIS'
    })
    expect(readdirSync(dir)).toEqual([])
  })

  test('a failure halfway leaves nothing', async () => {
    mkdirSync(join(dir, 'deep'), { recursive: true })
    // A setting that cannot be rendered: stands for a write that fails.
    const settings = { 'api.port': Symbol('x') as unknown as number }
    await expect(createHome({ home, genesis, settings })).rejects.toThrow()
    expect(readdirSync(join(dir, 'deep'))).toEqual([])
    mkdirSync(home)
    await expect(createHome({ home, genesis, settings })).rejects.toThrow()
    expect(readdirSync(home)).toEqual([])
  })
})

describe('key files', () => {
  test('are never overwritten', async () => {
    const path = join(dir, 'x.key')
    createKeyFile(path, SEED)
    const before = readFileSync(path, 'utf8')
    expect(failure(() => createKeyFile(path, new Uint8Array(32))).code).toBe('KEY_EXISTS')
    await expect(createPeerKeyFile(path, SEED)).rejects.toMatchObject({ code: 'KEY_EXISTS' })
    expect(readFileSync(path, 'utf8')).toBe(before)
    expect(readdirSync(dir)).toEqual(['x.key'])
  })

  test('are refused when others may read them', () => {
    const path = join(dir, 'x.key')
    createKeyFile(path, SEED)
    for (const mode of [0o644, 0o640, 0o604, 0o620, 0o666]) {
      chmodSync(path, mode)
      const error = failure(() => readKeyFile(path))
      expect(error.code).toBe('KEY_PERMISSIONS')
      expect(error.message).toMatch(/x\.key.*0600/)
    }
  })

  const SECRET = 'deadbeef'
  test.each([
    ['empty', ''],
    ['short', SECRET],
    ['not hex', `${SECRET}${'z'.repeat(56)}`],
    ['two lines', `${SECRET.repeat(8)}\n${SECRET.repeat(8)}`],
    ['long', SECRET.repeat(100_000)],
    ['binary', '\u0000\u0001']
  ])('malformed (%s): one line that does not repeat it', (_, text) => {
    const path = join(dir, 'x.key')
    writeFileSync(path, text, { mode: 0o600 })
    for (const read of [readKeyFile, readPeerKeyFile]) {
      const error = failure(() => read(path))
      expect(error.code).toBe('KEY_MALFORMED')
      expect(error.message).toContain(path)
      expect(error.message).not.toContain('\n')
      expect(`${error.stack}${JSON.stringify(error)}`).not.toContain(SECRET)
    }
  })

  test('missing, or no file at all', () => {
    expect(failure(() => readKeyFile(join(dir, 'none'))).code).toBe('KEY_MISSING')
    expect(failure(() => readKeyFile(dir)).code).toBe('KEY_MALFORMED')
  })
})

describe('openHome', () => {
  test('says where there is none and how to make one', () => {
    const error = failure(() => openHome(home))
    expect(error.code).toBe('HOME_MISSING')
    expect(error.message).toContain(`moloch init --home ${home}`)
  })

  test.each([
    ['not JSON', 'x'],
    ['empty', ''],
    ['unknown key', JSON.stringify({ ...JSON.parse(genesis.json), extra: 1 })],
    ['no validators', JSON.stringify({ ...JSON.parse(genesis.json), validators: [] })],
    ['directory', undefined]
  ])('genesis %s: one line that names the file', (_, text) => {
    const path = join(dir, 'genesis.json')
    if (text === undefined) mkdirSync(path)
    else writeFileSync(path, text)
    const error = failure(() => readGenesisFile(path))
    expect(error.code).toBe('BAD_GENESIS')
    expect(error.message).toContain(path)
    expect(error.message).not.toContain('\n')
  })

  test('a validator key of another chain', async () => {
    await createHome({ home, genesis })
    createKeyFile(keyPath(home, 'validator'), new Uint8Array(32))
    expect(failure(() => openHome(home)).code).toBe('KEY_NOT_IN_GENESIS')
  })

  test('home: flag, environment, default', () => {
    expect(resolveHome('/a', { MOLOCH_HOME: '/b' })).toBe('/a')
    expect(resolveHome(undefined, { MOLOCH_HOME: '/b' })).toBe('/b')
    expect(resolveHome(undefined, {})).toMatch(/\/\.moloch$/)
  })
})
