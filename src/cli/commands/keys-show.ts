import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { Command } from 'commander'
import { toHex } from '../../codec/bytes.ts'
import { KEY_NAMES, keyPath, readHomeGenesis, resolveHome } from '../../node/home.ts'
import { readKeyFile, readPeerKeyFile } from '../../node/key-files.ts'
import { type Cli, printJson } from '../cli.ts'
import { HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'
import { fields } from '../table.ts'

export function keysShowCommand(cli: Cli): Command {
  return newCommand(cli, 'show', {
    summary: "show the public parts of a home's keys, or of one key file",
    example: 'moloch keys show --home ~/.moloch'
  })
    .argument('[file]', 'a key file')
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action((file: string | undefined, options: { home?: string; json?: boolean }) => {
      const shown = file === undefined ? ofHome(resolveHome(options.home, cli.env)) : ofFile(resolve(file))
      if (options.json) printJson(cli, shown)
      else cli.out(fields(Object.entries(shown)))
    })
}

function ofHome(home: string): Record<string, string> {
  readHomeGenesis(home)
  const files = KEY_NAMES.map((name) => keyPath(home, name)).filter((path) => existsSync(path))
  return Object.assign({}, ...files.map(ofFile)) as Record<string, string>
}

/** A file named peer.key holds a peer key; all others hold seeds. */
function ofFile(path: string): Record<string, string> {
  const name = basename(path, '.key')
  if (name === 'peer') return { peer_id: peerIdFromPrivateKey(readPeerKeyFile(path)).toString() }
  const known = KEY_NAMES.find((candidate) => candidate === name)
  return { [known ?? 'public_key']: toHex(readKeyFile(path).publicKey) }
}
