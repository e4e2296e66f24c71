import type { Command } from 'commander'
import { BlockJson } from '../../api/schemas.ts'
import { timeText } from '../../time-text.ts'
import { type Cli, printJson, usageError } from '../cli.ts'
import { type ApiOptions, apiClient } from '../client.ts'
import { HOME_OPTION, JSON_OPTION, newCommand, URL_OPTION } from '../command.ts'
import { fields, table } from '../table.ts'

export function blockGetCommand(cli: Cli): Command {
  return newCommand(cli, 'get', { summary: 'show a finalized block', example: 'moloch block get 42 --json' })
    .argument('<block>', 'height, hash or "latest"')
    .option(...HOME_OPTION)
    .option(...URL_OPTION)
    .option(...JSON_OPTION)
    .action(async (id: string, options: ApiOptions & { json?: boolean }) => {
      if (!/^(latest|\d{1,16}|[0-9a-fA-F]{64})$/.test(id)) {
        throw usageError(`${JSON.stringify(id)} is no block; a height, a hash (64 hex digits) or "latest" is accepted`)
      }
      const api = apiClient(cli, options)
      const { next_cursor, ...block } = await api.get(`/v1/blocks/${id.toLowerCase()}`, BlockJson)
      // The rest by its hash: there may be a later one in the meantime.
      for (let cursor = next_cursor; cursor !== undefined; ) {
        const more = await api.get(`/v1/blocks/${block.hash}?cursor=${cursor}`, BlockJson)
        block.events.push(...more.events)
        cursor = more.next_cursor
      }
      if (options.json) printJson(cli, block)
      else cli.out(describe(block))
    })
}

function describe({ height, hash, header, commit, events }: BlockJson): string {
  const summary = fields([
    ['height', String(height)],
    ['hash', hash],
    ['parent', header.parent_hash],
    ['time', timeText(header.timestamp)],
    ['proposer', header.proposer],
    ['commit', commit === null ? 'none' : `${commit.signatures.length} signatures, round ${commit.round}`],
    ['events', String(events.length)]
  ])
  if (events.length === 0) return summary
  const rows = events.map((event) => [
    event.event_id,
    event.action,
    `${event.resource.kind}:${event.resource.id}`,
    event.outcome
  ])
  return `${summary}\n\n${table(['EVENT', 'ACTION', 'RESOURCE', 'OUTCOME'], rows)}`
}
