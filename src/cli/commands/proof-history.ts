import { closeSync, openSync, writeSync } from 'node:fs'
import type { Command } from 'commander'
import { HistoryPageAnswer } from '../../api/proof-schemas.ts'
import { checkHistoryPage, MAX_PAGE_IDS } from '../../chain/history.ts'
import type { IndexEntry } from '../../chain/trie-record.ts'
import { equalBytes, fromHex, toHex } from '../../codec/bytes.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { hasCode, MolochError, messageOf } from '../../error.ts'
import { type HistoryKey, keyText } from '../../light/verify/history-key.ts'
import {
  type HistoryProofFile,
  MAX_HISTORY_CHARS,
  MAX_PROOF_CHARS,
  type ProofFile,
  parseProofFile
} from '../../light/verify/parse-proof.ts'
import type { HistoryPageJson, HistoryProofJson } from '../../light/verify/proof-json.ts'
import { type Cli, printJson } from '../cli.ts'
import { type ApiClient, type ApiOptions, apiClient } from '../client.ts'
import { HOME_OPTION, JSON_OPTION, newCommand, URL_OPTION } from '../command.ts'
import { askedKey, type KeyOptions, keyOptions, keyQuery } from '../history-key.ts'
import { heightOption } from '../parsers.ts'

interface Options extends ApiOptions, KeyOptions {
  readonly anchor?: number
  readonly out?: string
  readonly json?: boolean
}

/** A file above MAX_HISTORY_CHARS could not be read back. An id and its quotes and comma are 67 characters. */
const MAX_EVENTS = Math.floor((MAX_HISTORY_CHARS - MAX_PROOF_CHARS) / 70)
/** A node that has much to read for a page says so, and goes on when it is asked again. */
const MOST_RETRIES = 240
const RETRY_MS = 250

export function proofHistoryCommand(cli: Cli): Command {
  const command = newCommand(cli, 'history', {
    summary: 'get the proof of all that an actor, resource or action has events of, or of none, as a file',
    example: `moloch proof history --resource account:alice --out history.json`
  })
  return keyOptions(command)
    .option('--anchor <height>', 'block of a snapshot that the node keeps (default: the newest)', heightOption)
    .option('--out <file>', 'write it there instead of printing it')
    .option(...HOME_OPTION)
    .option(...URL_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: Options) => {
      const key = askedKey(options)
      const { proof, json } = await fetchHistory(cli, options, key)
      const { height, hash } = proof.anchor
      const count = countOf(json)
      if (options.out !== undefined) write(options.out, json)
      if (options.json) {
        const anchor = { height, hash: toHex(hash) }
        printJson(cli, options.out === undefined ? json : { key: json.key, events: count, anchor, file: options.out })
      } else if (options.out === undefined) cli.out(JSON.stringify(json, null, 2))
      cli.err(`${keyText(key)}: ${count === 0 ? 'no event' : `${count} events`} before block ${height}`)
      cli.err(`to check it: moloch proof verify FILE --trust ${height}:${toHex(hash)}`)
      cli.err('trust that hash only if you have it from somewhere else than this node')
    })
}

interface Fetched {
  readonly proof: HistoryProofFile
  readonly json: HistoryProofJson
}

/** What a node answers with is looked at before it is kept: pages of this key that follow one another down to none. */
async function fetchHistory(cli: Cli, options: Options, key: HistoryKey): Promise<Fetched> {
  const api = apiClient(cli, options)
  const query = keyQuery(options)
  if (options.anchor !== undefined) query.set('anchor', String(options.anchor))
  const text = await patiently(() => api.text(`/v1/proofs/history?${query}`, MAX_PROOF_CHARS))
  const proof = readAnswer(api, text, key)
  const json = JSON.parse(text) as HistoryProofJson
  const leaf = proof.proof.state?.leaf
  const own = leaf !== undefined && equalBytes(leaf.keyHash, sha256(key.key)) ? leaf : undefined
  if (own !== undefined && own.count > MAX_EVENTS) {
    const most = `a file of at most ${MAX_EVENTS} can be read back: use the library, which takes page by page`
    throw new MolochError('HISTORY_TOO_LONG', `${keyText(key)} has ${own.count} events; ${most}`)
  }
  query.set('anchor', String(proof.anchor.height))
  let left: IndexEntry | undefined = own
  const first = json.pages.splice(0)
  for (let page = first[0]; left !== undefined && left.count > 0; page = undefined) {
    const known: IndexEntry = left
    if (page === undefined) {
      query.set('before', `${known.count}:${toHex(known.head)}`)
      page = await patiently(() => api.get(`/v1/proofs/history?${query}`, HistoryPageAnswer))
    }
    left = before(known, page)
    if (left === undefined) throw bad(api, `with ids that are not those up to event ${known.count}`)
    json.pages.push({ prev_head: page.prev_head, ids: page.ids })
  }
  if (own === undefined && first.length > 0) throw bad(api, 'with events of a key that it says has none')
  return { proof, json }
}

function before(known: IndexEntry, { prev_head, ids }: HistoryPageJson): IndexEntry | undefined {
  const bytes = (hex: string): Uint8Array => fromHex(hex, 32) ?? new Uint8Array(0)
  if (ids.length > MAX_PAGE_IDS) return undefined
  return checkHistoryPage(known, { prevHead: bytes(prev_head), ids: ids.map(bytes) })
}

function readAnswer(api: ApiClient, text: string, { index, key }: HistoryKey): HistoryProofFile {
  let proof: ProofFile
  try {
    proof = parseProofFile(text)
  } catch (error) {
    throw new MolochError('BAD_ANSWER', `${api.url} does not answer with a proof: ${messageOf(error)}`)
  }
  if (proof.kind === 'history' && proof.key.index === index && equalBytes(proof.key.key, key)) return proof
  throw bad(api, 'with a proof of something else')
}

function bad(api: ApiClient, how: string): MolochError {
  return new MolochError('BAD_ANSWER', `${api.url} answers ${how}`)
}

async function patiently<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  for (let retry = 0; ; retry++) {
    try {
      return await ask()
    } catch (error) {
      if (retry >= MOST_RETRIES || !hasCode(error, 'RATE_LIMITED')) throw error
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
}

function countOf({ pages }: HistoryProofJson): number {
  return pages.reduce((sum, { ids }) => sum + ids.length, 0)
}

/** Page by page: one string of all may be longer than the engine has room for. */
function write(path: string, { pages, ...rest }: HistoryProofJson): void {
  const file = openSync(path, 'w')
  try {
    const head = JSON.stringify(rest, null, 2)
    writeSync(file, `${head.slice(0, head.lastIndexOf('\n'))},\n  "pages": [`)
    for (const [at, page] of pages.entries()) writeSync(file, `${at === 0 ? '' : ','}\n${JSON.stringify(page)}`)
    writeSync(file, `${pages.length === 0 ? '' : '\n  '}]\n}\n`)
  } finally {
    closeSync(file)
  }
}
