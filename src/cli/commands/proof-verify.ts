import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { fromHex, toHex } from '../../codec/bytes.ts'
import { strictText } from '../../codec/strict-text.ts'
import { hasCode, MolochError, messageOf } from '../../error.ts'
import { keyText, keyToJson } from '../../light/verify/history-key.ts'
import { MAX_HISTORY_CHARS, type ProofFile, parseProofFile } from '../../light/verify/parse-proof.ts'
import { type FileResult, type TrustedBlock, verifyProofFile } from '../../light/verify/verify-file.ts'
import { readGenesisFile, readHomeGenesis, resolveHome } from '../../node/home.ts'
import { timeText } from '../../time-text.ts'
import { type Cli, printJson } from '../cli.ts'
import { HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'
import { askedKey, type KeyOptions, keyOptions } from '../history-key.ts'
import { hexKey } from '../parsers.ts'
import { fields, table } from '../table.ts'

/** Of a history. */
const SHOWN_IDS = 20

interface Options extends KeyOptions {
  readonly trust: readonly TrustedBlock[]
  readonly genesis?: string
  readonly home?: string
  readonly event?: string
  readonly json?: boolean
}

export function proofVerifyCommand(cli: Cli): Command {
  const command = newCommand(cli, 'verify', {
    summary: 'check a proof file against a block hash that you trust, step by step; needs no node and no network',
    example: `moloch proof verify proof.json --trust 4096:${'5f'.repeat(32)} --genesis genesis.json`
  })
  command.argument('<file>', 'proof file')
  command.requiredOption(
    '--trust <height:hash>',
    'a block that you trust; given twice for a consistency proof, which has two ends',
    collectTrust
  )
  command
    .option('--genesis <file>', "the chain's genesis (default: the home's)")
    .option(...HOME_OPTION)
    .option('--event <id>', 'fail unless the proof is of this event', hexKey)
  return keyOptions(command)
    .option(...JSON_OPTION)
    .action((file: string, options: Options) => {
      const genesis =
        options.genesis === undefined
          ? readHomeGenesis(resolveHome(options.home, cli.env))
          : readGenesisFile(resolve(options.genesis))
      const eventId = options.event === undefined ? undefined : fromHex(options.event, 32)
      const key = isKeyGiven(options) ? askedKey(options) : undefined
      const proof = readProofFile(resolve(file))
      const result = verifyProofFile(proof, { genesis, trust: options.trust, eventId, key })
      if (options.json) printJson(cli, toJson(proof, result))
      else cli.out(describe(result))
      if (!result.ok) {
        throw new MolochError(
          result.code,
          `${file} proves nothing: ${result.code} at ${result.step}: ${result.message}`
        )
      }
    })
}

function isKeyGiven({ actor, resource, action }: KeyOptions): boolean {
  return actor !== undefined || resource !== undefined || action !== undefined
}

/** `HEIGHT:HASH`, several times. */
function collectTrust(text: string, before: readonly TrustedBlock[] = []): TrustedBlock[] {
  const [, height, hash] = /^(\d{1,16}):([0-9a-fA-F]{64})$/.exec(text) ?? []
  const block = { height: Number(height), hash: fromHex(hash ?? '', 32) }
  if (block.hash === undefined || !Number.isSafeInteger(block.height)) {
    throw new InvalidArgumentError('HEIGHT:HASH is accepted, with a hash of 64 hex digits.')
  }
  return [...before, block as TrustedBlock]
}

function readProofFile(path: string): ProofFile {
  let text: string
  try {
    const { size } = statSync(path)
    if (size > MAX_HISTORY_CHARS) throw new Error(`${size} bytes; at most ${MAX_HISTORY_CHARS} are accepted`)
    text = strictText(readFileSync(path))
  } catch (error) {
    throw new MolochError('PROOF_UNREADABLE', `cannot read proof ${path}: ${messageOf(error)}`)
  }
  try {
    return parseProofFile(text, MAX_HISTORY_CHARS)
  } catch (error) {
    if (!hasCode(error, 'PROOF_MALFORMED')) throw error
    throw new MolochError(error.code, `${path}: ${error.message}`)
  }
}

function describe(result: FileResult): string {
  const rows = result.steps.map(({ step, detail }) => ['ok', step, detail])
  if (!result.ok) rows.push(['FAILED', result.step, result.message])
  const steps = table(['', 'STEP', 'CHECKED'], rows)
  return result.ok ? `${steps}\n\n${fields(proven(result))}` : steps
}

function proven(result: Extract<FileResult, { ok: true }>): [string, string][] {
  if ('from' in result) {
    return [['proven', `block ${result.to.height} goes on from the history of block ${result.from.height}`]]
  }
  if ('ids' in result) {
    const { ids, key, anchor } = result
    const events = ids.slice(0, SHOWN_IDS).map((id, at): [string, string] => [at === 0 ? 'events' : '', toHex(id)])
    if (ids.length > SHOWN_IDS) events.push(['', `and ${ids.length - SHOWN_IDS} more: --json has them`])
    const many = ids.length === 0 ? 'no event' : `${ids.length} events, all that there are, in this order`
    return [['proven', `${keyText(key)}: ${many}, before block ${anchor.height}`], ...events]
  }
  const { header, hash } = result
  const block: [string, string][] = [
    ['block', `${header.height} ${toHex(hash)}`],
    ['block time', timeText(header.timestamp)]
  ]
  if (!('event' in result)) return block
  const { id, actor, fields: event } = result.event
  return [
    ['event', toHex(id)],
    ['signed', timeText(event.timestamp)],
    ['actor', toHex(actor)],
    ['action', event.action],
    ['resource', `${event.resource?.kind}:${event.resource?.id}`],
    ['outcome', event.outcome],
    ...block
  ]
}

function toJson(proof: ProofFile, result: FileResult): Record<string, unknown> {
  const { ok, steps } = result
  const base = { ok, kind: proof.kind, steps }
  if (!result.ok) return { ...base, code: result.code, step: result.step, message: result.message }
  if ('from' in result) return { ...base, from: result.from.height, to: result.to.height }
  if ('ids' in result) {
    return { ...base, key: keyToJson(result.key), anchor: result.anchor.height, event_ids: result.ids.map(toHex) }
  }
  const block = { height: result.header.height, hash: toHex(result.hash), timestamp: result.header.timestamp }
  if (!('event' in result)) return { ...base, block }
  return { ...base, block, event_id: toHex(result.event.id), index: result.index }
}
