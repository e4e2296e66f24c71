import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RETRY_AFTER_SECONDS } from '../api/limits.ts'
import { type SubmitResultJson, SubmittedBatchJson, SubmittedJson } from '../api/schemas.ts'
import { type CheckedEvent, type EventBody, signEvent } from '../chain/event.ts'
import { type Genesis, parseGenesis } from '../chain/genesis.ts'
import { risingTime } from '../chain/rising-time.ts'
import { toHex } from '../codec/bytes.ts'
import { MolochError } from '../error.ts'
import { GENESIS_MAX_BYTES, homePaths, keyPath, readHomeGenesis, resolveHome } from '../node/home.ts'
import { readKeyFile } from '../node/key-files.ts'
import { batchesOf } from './batches.ts'
import type { Cli } from './cli.ts'
import type { ApiClient } from './client.ts'

/** A full mempool empties at the pace of blocks; one that does not within this many tries is not going to. */
const MAX_TRIES = 30

export type Fields = Omit<EventBody, 'timestamp'>

export interface Signer {
  readonly genesis: Genesis
  readonly sign: (fields: Fields) => CheckedEvent
}

/** An event as it was signed, and what the node says of it. */
export interface Submitted {
  readonly event: CheckedEvent
  readonly result: SubmitResultJson
}

/**
 * Signs with --key or the home's actor key, for the chain of the home or, without one, of the node.
 * @throws MolochError KEY_… | BAD_GENESIS | NO_NODE
 */
export async function openSigner(cli: Cli, api: ApiClient, options: { home?: string; key?: string }): Promise<Signer> {
  const home = resolveHome(options.home, cli.env)
  const key = readKeyFile(options.key === undefined ? keyPath(home, 'actor') : resolve(options.key))
  const genesis = await genesisOf(home, api)
  const time = risingTime(Date.now)
  return { genesis, sign: (fields) => signEvent(genesis.hash, key, { ...fields, timestamp: time() }) }
}

async function genesisOf(home: string, api: ApiClient): Promise<Genesis> {
  if (existsSync(homePaths(home).genesis)) return readHomeGenesis(home)
  return parseGenesis(await api.text('/v1/genesis', GENESIS_MAX_BYTES))
}

/** What is known of the events that were handed in, in their order, and why it is not more. */
export interface Progress {
  readonly submitted: readonly Submitted[]
  readonly failure?: MolochError
}

/** @throws MolochError with the API's code, naming the event */
export async function submitOne(api: ApiClient, event: CheckedEvent): Promise<Submitted> {
  try {
    return { event, result: await api.post('/v1/events', bodyOf(event), SubmittedJson) }
  } catch (error) {
    if (!(error instanceof MolochError)) throw error
    throw new MolochError(error.code, `event ${toHex(event.id)}: ${error.message}`, error.details)
  }
}

/**
 * Submits in batches, and again what a full mempool refused. What is answered has the order of the events. A batch is
 * signed when its turn comes: of a long file the last would else be out of the chain's window by then.
 */
export async function submitAll(api: ApiClient, events: readonly Fields[], { sign }: Signer): Promise<Progress> {
  const submitted: Submitted[] = []
  for (const batch of batchesOf(events)) {
    const signed = batch.map(sign)
    try {
      const results = await submitBatch(api, signed)
      submitted.push(...signed.map((event, index) => ({ event, result: results[index] as SubmitResultJson })))
    } catch (error) {
      if (!(error instanceof MolochError)) throw error
      const rest = `${submitted.length} of ${events.length} events were handed in before, which is all that is known`
      return { submitted, failure: new MolochError(error.code, `${error.message}; ${rest}`, error.details) }
    }
  }
  return { submitted }
}

async function submitBatch(api: ApiClient, events: readonly CheckedEvent[], tries = 1): Promise<SubmitResultJson[]> {
  const results = await postBatch(api, '/v1/events', events)
  const again = events.filter((_, index) => isRefusedForNow(results[index]))
  if (again.length === 0 || tries >= MAX_TRIES) return results
  await sleep(RETRY_AFTER_SECONDS * 1000)
  const later = await submitBatch(api, again, tries + 1)
  return results.map((result) => (isRefusedForNow(result) ? (later.shift() as SubmitResultJson) : result))
}

/** @returns a result for each event */
export async function postBatch(
  api: ApiClient,
  path: string,
  events: readonly CheckedEvent[],
  timeoutMs?: number
): Promise<SubmitResultJson[]> {
  try {
    const { results } = await api.post(path, { events: events.map(bodyOf) }, SubmittedBatchJson, timeoutMs)
    if (results.length === events.length) return results
    throw new MolochError('BAD_ANSWER', `${api.url} answers ${events.length} events with ${results.length} results`)
  } catch (error) {
    // None was taken: the problem says why for each.
    if (error instanceof MolochError && Array.isArray(error.details.results)) return error.details.results
    throw error
  }
}

/** Not taken now, for want of room or time: a little later it may be. */
export function isRefusedForNow(result: SubmitResultJson | undefined): boolean {
  return result !== undefined && 'code' in result && (result.code === 'MEMPOOL_FULL' || result.code === 'BUSY')
}

function bodyOf(event: CheckedEvent): { body: string; actor: string; signature: string } {
  const { body, actor, signature } = event
  return { body: Buffer.from(body).toString('base64'), actor: toHex(actor), signature: toHex(signature) }
}
