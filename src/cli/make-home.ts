import { randomBytes } from 'node:crypto'
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { type Genesis, parseGenesis } from '../chain/genesis.ts'
import { toHex } from '../codec/bytes.ts'
import { createHomes, keepHomes } from '../devnet/homes.ts'
import { DEFAULT_SPEC } from '../devnet/spec.ts'
import { hasCode, MolochError } from '../error.ts'
import type { SettingValue } from '../node/config/settings.ts'
import { createHome } from '../node/create-home.ts'
import { GENESIS_MAX_BYTES, openHome } from '../node/home.ts'
import { readSeedFile } from '../node/key-files.ts'
import { usageError } from './cli.ts'
import { ApiClient } from './client.ts'

/** Ports of the first node of a local chain; the others follow. */
const FIRST_P2P_PORT = 9645
const FIRST_API_PORT = 8645

export interface MadeHome {
  readonly home: string
  readonly chain_id: string
  readonly genesis_hash: string
  readonly role: 'validator' | 'observer'
  readonly peer_id: string
  readonly chain_key: string
}

export async function makeHome(spec: {
  home: string
  genesis: Genesis
  settings: Readonly<Record<string, SettingValue>>
  validatorKey: string | undefined
  isNewKey: boolean
}): Promise<MadeHome> {
  const { home, genesis, settings, validatorKey, isNewKey } = spec
  const validator = validatorKey === undefined ? undefined : readSeedFile(resolve(validatorKey))
  await createHome({ home, genesis, settings, seeds: { validator }, isNewKey })
  const made = openHome(home)
  return {
    home,
    chain_id: genesis.chainId,
    genesis_hash: toHex(genesis.hash),
    role: validator === undefined ? 'observer' : 'validator',
    peer_id: peerIdFromPrivateKey(made.peerKey).toString(),
    chain_key: toHex(made.chainKey.publicKey)
  }
}

/** @throws MolochError NO_NODE | BAD_ANSWER | BAD_GENESIS */
export async function fetchGenesis(url: string): Promise<Genesis> {
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw usageError(`--from: ${JSON.stringify(url)} is no URL; http://HOST:PORT is accepted`)
  }
  const text = await new ApiClient(url).text('/v1/genesis', GENESIS_MAX_BYTES)
  try {
    return parseGenesis(text)
  } catch (error) {
    if (!hasCode(error, 'BAD_GENESIS')) throw error
    throw new MolochError('BAD_GENESIS', `${url}/v1/genesis: ${error.message}`)
  }
}

/** Homes of the validators of a new chain on this machine, all or none. @returns their directories */
export async function makeDevnetHomes(directory: string, validators: number): Promise<string[]> {
  mkdirSync(dirname(directory), { recursive: true })
  const staged = join(dirname(directory), `.${basename(directory)}.new-${randomBytes(6).toString('hex')}`)
  const spec = { ...DEFAULT_SPEC, validators, nodes: 0, late: false, seed: toHex(randomBytes(32)) }
  try {
    const places = await createHomes(staged, spec, (name) => {
      const index = Number(name.replace(/\D/g, '')) - 1
      const listen = `/ip4/127.0.0.1/tcp/${FIRST_P2P_PORT + index}`
      return { listen, address: listen, apiHost: '127.0.0.1', apiPort: FIRST_API_PORT + index }
    })
    keepHomes(staged)
    renameSync(staged, directory)
    return places.map(({ name }) => join(directory, name))
  } finally {
    rmSync(staged, { recursive: true, force: true })
  }
}
