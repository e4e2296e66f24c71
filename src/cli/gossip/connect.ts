import { resolve } from 'node:path'
import { StatusJson } from '../../api/schemas.ts'
import { type Genesis, parseGenesis } from '../../chain/genesis.ts'
import { hasCode, MolochError, messageOf } from '../../error.ts'
import { parseAddress } from '../../network/addresses.ts'
import { GENESIS_MAX_BYTES, readGenesisFile } from '../../node/home.ts'
import { type Cli, usageError } from '../cli.ts'
import { type ApiOptions, apiClient } from '../client.ts'
import type { ObserveOptions } from './options.ts'

export interface Target {
  readonly genesis: Genesis
  readonly bootstrap: readonly string[]
  readonly listen: readonly string[]
}

/** @throws MolochError USAGE | BAD_GENESIS | NO_NODE | BAD_ANSWER | NO_ADDRESS */
export async function findTarget(cli: Cli, peers: readonly string[], options: ObserveOptions): Promise<Target> {
  const listen = options.listen ?? []
  for (const address of [...peers, ...listen]) assertAddress(address)
  const genesis =
    options.genesis === undefined ? await askGenesis(cli, options) : readGenesisFile(resolve(options.genesis))
  return { genesis, bootstrap: peers.length > 0 ? peers : await askAddresses(cli, options), listen }
}

function assertAddress(address: string): void {
  try {
    parseAddress(address)
  } catch (error) {
    throw usageError(messageOf(error))
  }
}

async function askGenesis(cli: Cli, options: ApiOptions): Promise<Genesis> {
  const api = apiClient(cli, options)
  const text = await api.text('/v1/genesis', GENESIS_MAX_BYTES)
  try {
    return parseGenesis(text)
  } catch (error) {
    if (!hasCode(error, 'BAD_GENESIS')) throw error
    throw new MolochError('BAD_GENESIS', `${api.url}/v1/genesis: ${error.message}`)
  }
}

async function askAddresses(cli: Cli, options: ApiOptions): Promise<readonly string[]> {
  const api = apiClient(cli, options)
  const { addresses } = await api.get('/v1/status', StatusJson)
  if (addresses.length > 0) return addresses
  throw new MolochError('NO_ADDRESS', `the node at ${api.url} listens nowhere; give the multiaddr of a peer`)
}
