import type { Command } from 'commander'
import { Type } from 'typebox'
import { KeptEventJson } from '../../api/kept-events.ts'
import { EventJson, PendingEventJson } from '../../api/schemas.ts'
import { timeText } from '../../time-text.ts'
import { type Cli, printJson, usageError } from '../cli.ts'
import { type ApiOptions, apiClient } from '../client.ts'
import { HOME_OPTION, JSON_OPTION, newCommand, URL_OPTION } from '../command.ts'
import { fields } from '../table.ts'

export function eventGetCommand(cli: Cli): Command {
  return newCommand(cli, 'get', {
    summary: 'show an event by its id',
    example: `moloch event get ${'5f'.repeat(32)} --json`
  })
    .argument('<id>', 'event id, 64 hex digits')
    .option(...HOME_OPTION)
    .option(...URL_OPTION)
    .option(...JSON_OPTION)
    .action(async (id: string, options: ApiOptions & { json?: boolean }) => {
      if (!/^[0-9a-fA-F]{64}$/.test(id)) {
        throw usageError(`${JSON.stringify(id)} is no event id; 64 hex digits are accepted`)
      }
      const schema = Type.Union([EventJson, PendingEventJson, KeptEventJson])
      const event = await apiClient(cli, options).get(`/v1/events/${id.toLowerCase()}`, schema)
      if (options.json) printJson(cli, event)
      else cli.out(fields(describe(event)))
    })
}

function describe(event: EventJson | KeptEventJson | Type.Static<typeof PendingEventJson>): [string, string][] {
  if (event.status === 'pending') {
    return [
      ['event', event.event_id],
      ['status', 'pending: it waits for a block']
    ]
  }
  const optional: [string, string | undefined][] = [
    ['occurred', event.occurred_at === undefined ? undefined : timeText(event.occurred_at)],
    ['actor name', event.actor_name]
  ]
  return [
    ['event', event.event_id],
    ['status', statusOf(event)],
    ['signed', timeText(event.timestamp)],
    ['actor', event.actor],
    ['action', event.action],
    ['resource', `${event.resource.kind}:${event.resource.id}`],
    ['outcome', event.outcome],
    ...optional.filter((entry): entry is [string, string] => entry[1] !== undefined),
    ...event.metadata.map(({ key, value }): [string, string] => [key, value])
  ]
}

function statusOf(event: EventJson | KeptEventJson): string {
  if (event.status === 'finalized') return `final in block ${event.height} at ${event.index}`
  if (event.status === 'passed') {
    return 'passed: no block takes it any more; whether one did is in history that the node does not hold yet'
  }
  return 'expired: no block took it in time; sign it again, see event list --expired'
}
