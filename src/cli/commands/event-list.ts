import type { Command } from 'commander'
import { type KeptEventJson, KeptPageJson } from '../../api/kept-events.ts'
import { type EventJson, EventPageJson } from '../../api/schemas.ts'
import { hasCode, type MolochError } from '../../error.ts'
import { MAX_PAGE_EVENTS } from '../../ledger/query.ts'
import { type Cli, printJson, usageError } from '../cli.ts'
import { type ApiClient, type ApiOptions, apiClient } from '../client.ts'
import { HOME_OPTION, JSON_OPTION, newCommand, URL_OPTION } from '../command.ts'
import { heightOption, hexKey, resourceName, wholeNumber } from '../parsers.ts'
import { table } from '../table.ts'

interface ListOptions extends ApiOptions {
  readonly actor?: string
  readonly resource?: { readonly kind: string; readonly id?: string }
  readonly action?: string
  readonly from?: number
  readonly to?: number
  readonly newest?: boolean
  readonly expired?: boolean
  readonly passed?: boolean
  readonly limit: number
  readonly cursor?: string
  readonly json?: boolean
}

export function eventListCommand(cli: Cli): Command {
  return newCommand(cli, 'list', {
    summary: 'list finalized events, filtered, or those that expired',
    example: 'moloch event list --resource account:alice --action login --limit 20'
  })
    .option('--actor <key>', "the actor's public key, 64 hex digits", hexKey)
    .option('--resource <kind[:id]>', 'what it was done to', resourceName)
    .option('--action <action>', 'what was done')
    .option('--from <height>', 'from this block on', heightOption)
    .option('--to <height>', 'up to this block', heightOption)
    .option('--newest', 'newest first')
    .option(
      '--expired',
      'what this node accepted and no block took in time, as lines for event submit --file, newest first'
    )
    .option(
      '--passed',
      'what no block takes any more, and one in history that the node does not hold yet may have taken'
    )
    .option('--limit <n>', 'events at most', wholeNumber(1, 1_000_000), 100)
    .option('--cursor <cursor>', 'go on where a listing ended')
    .option(...HOME_OPTION)
    .option(...URL_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: ListOptions) => {
      const api = apiClient(cli, options)
      if (options.expired && options.passed)
        throw usageError('--expired and --passed do not go together; one is accepted')
      if (options.expired) return listExpired(cli, api, options)
      if (options.passed) return listPassed(cli, api, options)
      const { events, next, failure } = await list(options, (path) => api.get(path, EventPageJson))
      if (options.json) printJson(cli, { events, next_cursor: next })
      else if (events.length === 0) cli.err('no events')
      else
        cli.out(
          table(
            ['BLOCK', ...EVENT_COLUMNS],
            events.map((event) => [String(event.height), ...cells(event)])
          )
        )
      // What is shown is a part: no program may take it for the whole.
      if (failure !== undefined) throw failure
      if (next !== null && !options.json) cli.err(`more: --cursor ${next}`)
    })
}

/** Each line says all of an event but its signature, and when it happened: who signs it again does so later. */
async function listExpired(cli: Cli, api: ApiClient, options: ListOptions): Promise<void> {
  const { events, next } = await list(options, (path) => api.get(path, KeptPageJson))
  if (options.json) printJson(cli, { events, next_cursor: next })
  else if (events.length === 0) cli.err('no expired events')
  else cli.out(events.map((event) => JSON.stringify(lineOf(event))).join('\n'))
  if (next !== null && !options.json) cli.err(`more: --cursor ${next}`)
}

/** No lines to be signed again: a block may have them. */
async function listPassed(cli: Cli, api: ApiClient, options: ListOptions): Promise<void> {
  const { events, next } = await list(options, (path) => api.get(path, KeptPageJson))
  if (options.json) {
    printJson(cli, { events, next_cursor: next })
    return
  }
  if (events.length === 0) cli.err('no events whose fate is not known')
  else cli.out(table(EVENT_COLUMNS, events.map(cells)))
  if (next !== null) cli.err(`more: --cursor ${next}`)
}

function lineOf({ action, resource, outcome, occurred_at, timestamp, actor_name, metadata }: KeptEventJson): object {
  const pairs = metadata.map(({ key, value }) => [key, value])
  return {
    action,
    resource,
    outcome,
    occurred_at: occurred_at ?? timestamp,
    actor: actor_name,
    metadata: Object.fromEntries(pairs)
  }
}

interface Page<Event> {
  readonly events: readonly Event[]
  readonly next_cursor: string | null
}

interface Listed<Event> {
  readonly events: Event[]
  readonly next: string | null
  /** Why it does not go on, though it is not at its end. */
  readonly failure?: MolochError
}

/** @throws MolochError with the API's code, if there is nothing to show */
async function list<Event>(options: ListOptions, get: (path: string) => Promise<Page<Event>>): Promise<Listed<Event>> {
  const events: Event[] = []
  let next = options.cursor ?? null
  do {
    const query = queryOf(options, Math.min(options.limit - events.length, MAX_PAGE_EVENTS), next)
    try {
      const page = await get(`/v1/events?${query}`)
      events.push(...page.events)
      next = page.next_cursor
    } catch (error) {
      // What is below is not held there: what was found is shown.
      if (events.length > 0 && hasCode(error, 'UNAVAILABLE')) return { events, next, failure: error }
      throw error
    }
  } while (next !== null && events.length < options.limit)
  return { events, next }
}

function queryOf(options: ListOptions, limit: number, cursor: string | null): URLSearchParams {
  const { actor, resource, action, from, to, newest, expired, passed } = options
  const query = new URLSearchParams({ limit: String(limit) })
  const given = {
    status: expired ? 'expired' : passed ? 'passed' : undefined,
    actor,
    resource_kind: resource?.kind,
    resource_id: resource?.id,
    action,
    from,
    to,
    cursor,
    order: newest ? 'desc' : undefined
  }
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && value !== null) query.set(name, String(value))
  }
  return query
}

const EVENT_COLUMNS = ['EVENT', 'ACTION', 'RESOURCE', 'OUTCOME', 'ACTOR']

function cells(event: EventJson | KeptEventJson): string[] {
  const { kind, id } = event.resource
  return [event.event_id, event.action, `${kind}:${id}`, event.outcome, event.actor]
}
