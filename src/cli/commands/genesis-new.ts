import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { createGenesis, type Genesis } from '../../chain/genesis.ts'
import { PARAM_NAMES, PARAM_RULES, type Params } from '../../chain/params.ts'
import { fromHex, toHex } from '../../codec/bytes.ts'
import { readKeyFile } from '../../node/key-files.ts'
import { type Cli, usageError } from '../cli.ts'
import { collect, newCommand } from '../command.ts'
import { collectAssignments, timeOption } from '../parsers.ts'

interface NewOptions {
  readonly chainId: string
  readonly validator: readonly (readonly [string, string])[]
  readonly actor?: readonly string[]
  readonly param?: readonly (readonly [string, string])[]
  readonly timestamp?: number
  readonly out?: string
}

export function genesisNewCommand(cli: Cli): Command {
  return newCommand(cli, 'new', {
    summary: 'make a genesis; its hash is what all who join must be told',
    example: 'moloch genesis new --chain-id audit --validator a=a.key --validator b=b.key --out genesis.json'
  })
    .requiredOption('--chain-id <id>', '1 to 32 of a-z, 0-9 and -')
    .requiredOption(
      '--validator <name=key>',
      'a validator: public key (hex) or key file; repeat for each',
      collectAssignments
    )
    .option('--actor <key>', 'who may sign events: public key or key file; none = anybody', collect)
    .option(
      '--param <name=value>',
      `chain parameter: ${PARAM_NAMES.map((name) => PARAM_RULES[name].key).join(', ')}`,
      collectAssignments
    )
    .option('--timestamp <time>', 'when the chain begins (default: now)', timeOption)
    .option('--out <file>', 'file to make (default: print it)')
    .action((options: NewOptions) => {
      const genesis = create(options)
      const text = `${JSON.stringify(JSON.parse(genesis.json), null, 2)}`
      if (options.out === undefined) cli.out(text)
      else writeFileSync(resolve(options.out), `${text}\n`, { flag: 'wx' })
      cli.err(`genesis hash ${toHex(genesis.hash)}`)
    })
}

function create(options: NewOptions): Genesis {
  return createGenesis({
    chainId: options.chainId,
    timestamp: options.timestamp ?? Date.now(),
    validators: options.validator.map(([name, key]) => ({ name, publicKey: publicKey(key) })),
    actors: options.actor?.map(publicKey),
    params: Object.fromEntries((options.param ?? []).map(parameter))
  })
}

function parameter([key, value]: readonly [string, string]): [keyof Params, number] {
  const name = PARAM_NAMES.find((candidate) => PARAM_RULES[candidate].key === key)
  if (name === undefined) {
    const known = PARAM_NAMES.map((candidate) => PARAM_RULES[candidate].key).join(', ')
    throw usageError(`--param: ${JSON.stringify(key)} is no parameter; accepted are ${known}`)
  }
  const { min, max } = PARAM_RULES[name]
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (number >= min && number <= max) return [name, number]
  throw usageError(`--param ${key}: ${JSON.stringify(value)} is not accepted; a whole number from ${min} to ${max} is`)
}

/** 64 hex digits are a public key; anything else is the path of a key file. */
function publicKey(text: string): Uint8Array {
  return fromHex(text, 32) ?? readKeyFile(resolve(text)).publicKey
}
