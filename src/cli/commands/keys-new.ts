import { mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Argument, type Command } from 'commander'
import { KEY_NAMES, type KeyName, keyPath, readHomeGenesis, resolveHome } from '../../node/home.ts'
import { type Cli, printJson, usageError } from '../cli.ts'
import { HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'

interface NewOptions {
  readonly home?: string
  readonly out?: string
  readonly json?: boolean
}

export function keysNewCommand(cli: Cli): Command {
  return newCommand(cli, 'new', {
    summary: 'make a key; an existing key file is never overwritten',
    example: 'moloch keys new validator --out validator.key'
  })
    .addArgument(new Argument('<name>', 'what for').choices(KEY_NAMES))
    .option('--out <file>', 'file to make instead of the one in the home')
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action(async (name: KeyName, options: NewOptions) => {
      const path = options.out === undefined ? inHome(cli, name, options.home) : resolve(options.out)
      if (options.out !== undefined) mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      const shown = await create(name, path)
      if (options.json) printJson(cli, { file: path, ...shown })
      else cli.out(`${Object.values(shown)[0]}\n${path}`)
    })
}

function inHome(cli: Cli, name: KeyName, homeOption: string | undefined): string {
  if (name === 'validator') {
    throw usageError(
      'a validator key comes before its genesis: give --out FILE, then `moloch init --validator-key FILE --new-key`'
    )
  }
  const home = resolveHome(homeOption, cli.env)
  readHomeGenesis(home)
  return keyPath(home, name)
}

async function create(name: KeyName, path: string): Promise<Record<string, string>> {
  const { createKeyFile, createPeerKeyFile, newSeed } = await import('../../node/key-files.ts')
  if (name === 'peer') {
    const { peerIdFromPrivateKey } = await import('@libp2p/peer-id')
    return { peer_id: peerIdFromPrivateKey(await createPeerKeyFile(path, newSeed())).toString() }
  }
  const { toHex } = await import('../../codec/bytes.ts')
  const { keyPairFromSeed } = await import('../../crypto/ed25519.ts')
  const seed = newSeed()
  createKeyFile(path, seed)
  return { public_key: toHex(keyPairFromSeed(seed).publicKey) }
}
