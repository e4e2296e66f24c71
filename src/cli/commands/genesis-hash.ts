import { resolve } from 'node:path'
import type { Command } from 'commander'
import { toHex } from '../../codec/bytes.ts'
import { readGenesisFile } from '../../node/home.ts'
import { type Cli, printJson } from '../cli.ts'
import { JSON_OPTION, newCommand } from '../command.ts'

export function genesisHashCommand(cli: Cli): Command {
  return newCommand(cli, 'hash', {
    summary: 'check a genesis file and show its hash',
    example: 'moloch genesis hash genesis.json'
  })
    .argument('<file>', 'genesis file')
    .option(...JSON_OPTION)
    .action((file: string, options: { json?: boolean }) => {
      const genesis = readGenesisFile(resolve(file))
      const hash = toHex(genesis.hash)
      if (options.json)
        printJson(cli, { chain_id: genesis.chainId, genesis_hash: hash, validators: genesis.validators.names })
      else cli.out(hash)
    })
}
