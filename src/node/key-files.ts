import { randomBytes } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { generateKeyPairFromSeed, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { fromHex, toHex } from '../codec/bytes.ts'
import { type KeyPair, keyPairFromSeed, SEED_BYTES } from '../crypto/ed25519.ts'
import { MolochError } from '../error.ts'
import { createFile } from './durable-file.ts'

/**
 * Key files: one line of lowercase hex, mode 0600. Chain, validator and actor keys are a 32-byte Ed25519 seed; the
 * peer key is libp2p's protobuf of an Ed25519 private key. No error ever quotes what a key file holds.
 */

const KEY_FILE_MODE = 0o600
/** No key file is longer; a path given by mistake to something huge must not be read whole. */
const KEY_FILE_MAX_BYTES = 1024

export function newSeed(): Uint8Array {
  return new Uint8Array(randomBytes(SEED_BYTES))
}

/** @throws MolochError KEY_EXISTS: a key is never overwritten */
export function createKeyFile(path: string, seed: Uint8Array): void {
  create(path, toHex(seed))
}

/** @throws MolochError KEY_EXISTS */
export async function createPeerKeyFile(path: string, seed: Uint8Array): Promise<PrivateKey> {
  const key = await generateKeyPairFromSeed('Ed25519', seed)
  create(path, toHex(privateKeyToProtobuf(key)))
  return key
}

/** @throws MolochError KEY_MISSING | KEY_PERMISSIONS | KEY_MALFORMED */
export function readKeyFile(path: string): KeyPair {
  return keyPairFromSeed(readSeedFile(path))
}

/** @throws MolochError KEY_MISSING | KEY_PERMISSIONS | KEY_MALFORMED */
export function readSeedFile(path: string): Uint8Array {
  const seed = fromHex(readKeyLine(path), SEED_BYTES)
  if (seed === undefined) throw malformed(path, '64 hex digits (an Ed25519 seed)')
  return seed
}

/** @throws MolochError KEY_MISSING | KEY_PERMISSIONS | KEY_MALFORMED */
export function readPeerKeyFile(path: string): PrivateKey {
  const bytes = fromHex(readKeyLine(path))
  try {
    if (bytes !== undefined && bytes.byteLength > 0) {
      const key = privateKeyFromProtobuf(bytes)
      if (key.type === 'Ed25519') return key
    }
  } catch {
    // The library's words may quote the bytes: ours do not.
  }
  throw malformed(path, "the hex of libp2p's protobuf of an Ed25519 private key")
}

function create(path: string, line: string): void {
  try {
    createFile(path, `${line}\n`, KEY_FILE_MODE)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new MolochError('KEY_EXISTS', `${path} exists; a key is never overwritten: move it away first`)
  }
}

function readKeyLine(path: string): string {
  const status = statSync(path, { throwIfNoEntry: false })
  if (status === undefined)
    throw new MolochError('KEY_MISSING', `no key file at ${path}; \`moloch keys new\` makes one`)
  if (!status.isFile()) throw new MolochError('KEY_MALFORMED', `${path} is no file; a key file is accepted`)
  if ((status.mode & 0o077) !== 0) {
    const mode = (status.mode & 0o777).toString(8).padStart(4, '0')
    throw new MolochError('KEY_PERMISSIONS', `key file ${path} is open to others (mode ${mode}); only 0600 is accepted`)
  }
  return status.size > KEY_FILE_MAX_BYTES ? '' : readFileSync(path, 'utf8').trim()
}

function malformed(path: string, expected: string): MolochError {
  return new MolochError('KEY_MALFORMED', `key file ${path} is malformed; one line of ${expected} is accepted`)
}
