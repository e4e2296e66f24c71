import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Genesis } from '../../chain/genesis.ts'
import { toHex } from '../../codec/bytes.ts'
import { MolochError } from '../../error.ts'
import { parseSetting } from '../../node/config/load.ts'
import type { SettingValue } from '../../node/config/settings.ts'
import { assertFree } from '../../node/create-home.ts'
import { readGenesisFile, resolveHome } from '../../node/home.ts'
import { type Cli, printJson, usageError } from '../cli.ts'
import { collect, HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'
import { fetchGenesis, makeDevnetHomes, makeHome } from '../make-home.ts'
import { collectAssignments, hexKey, wholeNumber } from '../parsers.ts'

/** A home each: more do not fit one machine. */
const MAX_DEVNET = 64

const UNKNOWN =
  'in a network it lets two heights pass before it signs; a new chain, or one that needs it, does not go on without ' +
  'moloch signer adopt --new-key, if the key has never signed anything (or init with --new-key)'

interface InitOptions {
  readonly home?: string
  readonly genesis?: string
  readonly from?: string
  readonly genesisHash?: string
  readonly devnet?: number
  readonly bootstrap?: readonly string[]
  readonly set?: readonly (readonly [string, string])[]
  readonly validatorKey?: string
  readonly newKey?: boolean
  readonly json?: boolean
}

export function initCommand(cli: Cli): Command {
  return newCommand(cli, 'init', {
    summary: "make a node's home: keys, config.toml and the chain's genesis",
    example: 'moloch init --genesis genesis.json --home ~/.moloch --bootstrap /ip4/10.0.0.1/tcp/9645/p2p/12D3KooW…'
  })
    .option('--genesis <file>', 'the genesis file of the chain')
    .option('--from <url>', 'fetch the genesis from the API of a node of the chain; needs --genesis-hash')
    .option('--genesis-hash <hash>', 'what the genesis must hash to, as you were told by somebody you trust', hexKey)
    .option('--devnet <n>', 'homes of n validators of a new local chain, DIR/validator-1 …', wholeNumber(1, MAX_DEVNET))
    .option('--bootstrap <multiaddr>', 'a peer to keep a connection to; repeat for each', collect)
    .option('--set <key=value>', 'any setting, for config.toml; repeat for each', collectAssignments)
    .option('--validator-key <file>', 'key file of a validator of the genesis: the home becomes its')
    .option('--new-key', 'the validator key has never signed anything, here or elsewhere; without it that is not known')
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: InitOptions) => {
      const home = resolveHome(options.home, cli.env)
      assertOptions(options)
      assertFree(home)
      if (options.devnet !== undefined) {
        const homes = await makeDevnetHomes(home, options.devnet)
        if (options.json) printJson(cli, { homes })
        else cli.out(homes.join('\n'))
        cli.err(`made ${homes.length} homes; start each: moloch start --home ${homes[0]}`)
        return
      }
      const settings = settingsOf(options)
      const genesis = await genesisOf(options)
      const { validatorKey, newKey: isNewKey = false } = options
      const made = await makeHome({ home, genesis, settings, validatorKey, isNewKey })
      if (options.json) printJson(cli, made)
      else cli.out(home)
      cli.err(`made the home: ${made.role} on ${made.chain_id}, genesis ${made.genesis_hash}, peer ${made.peer_id}`)
      if (validatorKey !== undefined && !isNewKey) cli.err(`what this key has signed is not known here: ${UNKNOWN}`)
    })
}

function assertOptions(options: InitOptions): void {
  if (options.newKey && options.validatorKey === undefined) {
    throw usageError('--new-key is said of a key: it needs --validator-key FILE')
  }
  const { genesis, from, devnet, genesisHash } = options
  if ([genesis, from, devnet].filter((source) => source !== undefined).length !== 1) {
    throw usageError('one of --genesis FILE, --from URL and --devnet N is needed')
  }
  if (from !== undefined && genesisHash === undefined) {
    throw usageError('--from needs --genesis-hash HASH: a genesis from the network is worth what its hash is')
  }
  if (devnet === undefined) return
  const { bootstrap, set, validatorKey } = options
  if ([genesisHash, bootstrap, set, validatorKey].every((option) => option === undefined)) return
  throw usageError('--devnet makes everything anew; only --home and --json go with it')
}

function settingsOf(options: InitOptions): Record<string, SettingValue> {
  const settings = new Map((options.set ?? []).map(([key, text]) => [key, parseSetting(key, text, '--set')]))
  if (options.bootstrap !== undefined) {
    settings.set('p2p.bootstrap', parseSetting('p2p.bootstrap', options.bootstrap.join(','), '--bootstrap'))
  }
  return Object.fromEntries(settings)
}

async function genesisOf({ genesis: file, from, genesisHash }: InitOptions): Promise<Genesis> {
  const genesis = from === undefined ? readGenesisFile(resolve(file ?? '')) : await fetchGenesis(from)
  const hash = toHex(genesis.hash)
  if (genesisHash === undefined || genesisHash === hash) return genesis
  throw new MolochError(
    'WRONG_GENESIS',
    `the genesis of ${from ?? file} hashes to ${hash}, not to ${genesisHash}: it is of another chain, or forged`
  )
}
