import { existsSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { PrivateKey } from '@libp2p/interface'
import { type Genesis, parseGenesis } from '../chain/genesis.ts'
import { MAX_GENESIS_CHARS } from '../chain/genesis-json.ts'
import { toHex } from '../codec/bytes.ts'
import { strictText } from '../codec/strict-text.ts'
import type { KeyPair } from '../crypto/ed25519.ts'
import { hasCode, MolochError, messageOf } from '../error.ts'
import { readKeyFile, readPeerKeyFile } from './key-files.ts'

/**
 * A node's home directory:
 *
 *     config.toml  genesis.json
 *     keys/        peer.key  chain.key or, on validators, validator.key  actor.key     (0700, files 0600)
 *                  validator.mark: how far the validator's key has signed
 *     data/        chain/  peers/  signer/  snapshots/  warp/  lock/
 *     logs/
 */
export interface HomePaths {
  readonly home: string
  readonly config: string
  readonly genesis: string
  readonly keys: string
  /** How far the validator's key has signed. */
  readonly mark: string
  readonly data: string
  readonly chain: string
  readonly peers: string
  readonly signer: string
  readonly snapshots: string
  readonly warp: string
  readonly lock: string
  readonly logs: string
}

export const KEY_NAMES = ['peer', 'chain', 'validator', 'actor'] as const
export type KeyName = (typeof KEY_NAMES)[number]

export function homePaths(home: string): HomePaths {
  const data = join(home, 'data')
  return {
    home,
    config: join(home, 'config.toml'),
    genesis: join(home, 'genesis.json'),
    keys: join(home, 'keys'),
    mark: join(home, 'keys', 'validator.mark'),
    data,
    chain: join(data, 'chain'),
    peers: join(data, 'peers'),
    signer: join(data, 'signer'),
    snapshots: join(data, 'snapshots'),
    warp: join(data, 'warp'),
    lock: join(data, 'lock'),
    logs: join(home, 'logs')
  }
}

export function keyPath(home: string, name: KeyName): string {
  return join(home, 'keys', `${name}.key`)
}

/** --home, else MOLOCH_HOME, else ~/.moloch; absolute. */
export function resolveHome(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  return resolve(flag || env.MOLOCH_HOME || join(homedir(), '.moloch'))
}

export interface Home {
  readonly paths: HomePaths
  readonly genesis: Genesis
  readonly peerKey: PrivateKey
  /** The validator's key on validators. */
  readonly chainKey: KeyPair
  /** Present on validators, and then one of the genesis's. */
  readonly validatorKey: KeyPair | undefined
}

/**
 * Reads what a node needs of its home.
 * @throws MolochError HOME_MISSING | BAD_GENESIS | KEY_MISSING | KEY_PERMISSIONS | KEY_MALFORMED | KEY_NOT_IN_GENESIS
 */
export function openHome(home: string): Home {
  const paths = homePaths(home)
  const genesis = readHomeGenesis(home)
  const validatorFile = keyPath(home, 'validator')
  const validatorKey = existsSync(validatorFile) ? readKeyFile(validatorFile) : undefined
  if (validatorKey !== undefined) assertValidator(genesis, validatorKey, validatorFile)
  return {
    paths,
    genesis,
    peerKey: readPeerKeyFile(keyPath(home, 'peer')),
    chainKey: validatorKey ?? readKeyFile(keyPath(home, 'chain')),
    validatorKey
  }
}

/** @throws MolochError HOME_MISSING | BAD_GENESIS */
export function readHomeGenesis(home: string): Genesis {
  const { genesis } = homePaths(home)
  if (!existsSync(genesis)) {
    throw new MolochError('HOME_MISSING', `no home at ${home} (no genesis.json); make one: moloch init --home ${home}`)
  }
  return readGenesisFile(genesis)
}

/** A wrong file must not be read whole; the parser refuses what is longer anyway. */
export const GENESIS_MAX_BYTES = MAX_GENESIS_CHARS

/** @throws MolochError BAD_GENESIS, one line that names the file */
export function readGenesisFile(path: string): Genesis {
  let text: string
  try {
    const { size } = statSync(path)
    if (size > GENESIS_MAX_BYTES) throw new Error(`${size} bytes; at most ${GENESIS_MAX_BYTES} are accepted`)
    text = strictText(readFileSync(path))
  } catch (error) {
    throw new MolochError('BAD_GENESIS', `cannot read genesis ${path}: ${messageOf(error)}`)
  }
  try {
    return parseGenesis(text)
  } catch (error) {
    if (!hasCode(error, 'BAD_GENESIS')) throw error
    throw new MolochError('BAD_GENESIS', `${path}: ${error.message}`, error.details)
  }
}

/** @throws MolochError KEY_NOT_IN_GENESIS */
export function assertValidator(genesis: Genesis, key: KeyPair, file: string): void {
  if (genesis.validators.indexOf(key.publicKey) >= 0) return
  throw new MolochError(
    'KEY_NOT_IN_GENESIS',
    `${file} holds ${toHex(key.publicKey)}, which is none of the validators of ${genesis.chainId}: ${genesis.validators.names.join(', ')}`
  )
}
