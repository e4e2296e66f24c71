import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RETRY_AFTER_SECONDS } from '../api/limits.ts'
import { type SubmitResultJson, SubmittedBatchJson, SubmittedJson } from '../api/schemas.ts'
import { type CheckedEvent, type EventBody, signEvent } from '../chain/event.ts'
import { type Genesis, parseGenesis } from '../chain/genesis.ts'
import { toHex } from '../codec/bytes.ts'
import { MolochError } from '../error.ts'
import { GENESIS_MAX_BYTES, homePaths, keyPath, readHomeGenesis, resolveHome } from '../node/home.ts'
import { readKeyFile } from '../node/key-files.ts'
import type { Cli } from './cli.ts'
import type { ApiClient } from './client.ts'

/** Below the API's batch limit, so that a batch of the largest usual events fits its body limit too. */
const BATCH_EVENTS = 250
/** A full mempool empties at the pace of blocks; one that does not within this many tries is not going to. */
const MAX_TRIES = 30

export type Signer = (fields: Omit<EventBody, 'timestamp'>) => CheckedEvent

/**
 * Signs with --key or the home's actor key, for the chain of the home or, without one, of the node.
 * @throws MolochError KEY_… | BAD_GENESIS | NO_NODE
 */
export async function openSigner(cli: Cli, api: ApiClient, options: { home?: string; key?: string }): Promise<Signer> {
  const home = resolveHome(options.home, cli.env)
  const key = readKeyFile(options.key === undefined ? keyPath(home, 'actor') : resolve(options.key))
  const genesis = await genesisOf(home, api)
  return (fields) => signEvent(genesis.hash, key, { ...fields, timestamp: Date.now() })
}

async function genesisOf(home: string, api: ApiClient): Promise<Genesis> {
  if (existsSync(homePaths(home).genesis)) return readHomeGenesis(home)
  return parseGenesis(await api.text('/v1/genesis', GENESIS_MAX_BYTES))
}

/** @throws MolochError with the API's code */
export function submitOne(api: ApiClient, event: CheckedEvent, wait: boolean): Promise<SubmittedJson> {
  return api.post(`/v1/events${wait ? '?wait=finalized' : ''}`, bodyOf(event), SubmittedJson)
}

/** Submits in batches, and again what a full mempool refused. What is answered has the order of the events. */
export async function submitAll(
  api: ApiClient,
  events: readonly CheckedEvent[],
  wait: boolean
): Promise<SubmitResultJson[]> {
  const results: SubmitResultJson[] = []
  for (let at = 0; at < events.length; at += BATCH_EVENTS) {
    results.push(...(await submitBatch(api, events.slice(at, at + BATCH_EVENTS), wait)))
  }
  return results
}

async function submitBatch(
  api: ApiClient,
  events: readonly CheckedEvent[],
  wait: boolean,
  tries = 1
): Promise<SubmitResultJson[]> {
  const results = await postBatch(api, events, wait)
  const again = events.filter((_, index) => isFull(results[index]))
  if (again.length === 0 || tries >= MAX_TRIES) return results
  await sleep(RETRY_AFTER_SECONDS * 1000)
  const later = await submitBatch(api, again, wait, tries + 1)
  return results.map((result) => (isFull(result) ? (later.shift() as SubmitResultJson) : result))
}

async function postBatch(api: ApiClient, events: readonly CheckedEvent[], wait: boolean): Promise<SubmitResultJson[]> {
  try {
    const path = `/v1/events${wait ? '?wait=finalized' : ''}`
    return (await api.post(path, { events: events.map(bodyOf) }, SubmittedBatchJson)).results
  } catch (error) {
    // None was taken: the problem says why for each.
    if (error instanceof MolochError && Array.isArray(error.details.results)) return error.details.results
    throw error
  }
}

function isFull(result: SubmitResultJson | undefined): boolean {
  return result !== undefined && 'code' in result && result.code === 'MEMPOOL_FULL'
}

function bodyOf(event: CheckedEvent): { body: string; actor: string; signature: string } {
  const { body, actor, signature } = event
  return { body: Buffer.from(body).toString('base64'), actor: toHex(actor), signature: toHex(signature) }
}
