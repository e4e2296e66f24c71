import type { Command } from 'commander'
import { StatusJson } from '../../api/schemas.ts'
import { timeText } from '../../time-text.ts'
import { type Cli, printJson } from '../cli.ts'
import { type ApiOptions, apiClient } from '../client.ts'
import { HOME_OPTION, JSON_OPTION, newCommand, URL_OPTION } from '../command.ts'
import { fields } from '../table.ts'

export function statusCommand(cli: Cli): Command {
  return newCommand(cli, 'status', {
    summary: 'show what a running node is and does',
    example: 'moloch status --json'
  })
    .option(...HOME_OPTION)
    .option(...URL_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: ApiOptions & { json?: boolean }) => {
      const status = await apiClient(cli, options).get('/v1/status', StatusJson)
      if (options.json) printJson(cli, status)
      else cli.out(fields(describe(status)))
    })
}

function describe(status: StatusJson): [string, string][] {
  const { finalized, pending, sync, peers, mempool, log } = status
  const sessions = Object.entries(peers.sessions).map(([state, count]) => `${count} ${state}`)
  return [
    ['version', status.version],
    ['chain', `${status.chain_id} (genesis ${status.genesis_hash})`],
    ['peer', status.peer_id],
    ...(status.peer_key_in_use === null ? [] : [['peer key', status.peer_key_in_use.message] as [string, string]]),
    ['role', `${status.role}, ${status.mode}${status.abstains === null ? '' : `; ${status.abstains}`}`],
    ['state', status.state],
    ['sync', describeSync(status)],
    ['waiting', describeWaiting(status)],
    ...(status.clock?.faults ?? []).map((fault): [string, string] => ['clock', fault]),
    ...(sync.backfill === null ? [] : [['history', describeBackfill(sync.backfill)] as [string, string]]),
    ['finalized', `${finalized.height} ${finalized.hash} at ${timeText(finalized.timestamp)}`],
    ['pending', pending === null ? 'none' : describePending(pending)],
    ['events', status.event_total === null ? 'not seen by a light node' : String(status.event_total)],
    ['peers', sessions.length === 0 ? 'none' : sessions.join(', ')],
    ['mempool', `${mempool.events} events, ${mempool.bytes} bytes`],
    ...(log.lost_lines === 0 ? [] : [['log', describeLog(log)] as [string, string]]),
    ['uptime', `${status.uptime_seconds} s`]
  ]
}

function describeBackfill(backfill: NonNullable<StatusJson['sync']['backfill']>): string {
  const { status, earliest_height, missing, uncertified, blocks_per_second, fault } = backfill
  if (fault !== null) return `from block ${earliest_height}: ${fault.message} (${fault.code})`
  if (status === 'done') return 'complete'
  const rate = status === 'fetching' ? `, ${blocks_per_second} blocks/s` : ''
  return `from block ${earliest_height}, ${status}: ${missing} to fetch, ${uncertified} to certify${rate}`
}

function describeLog({ lost_lines, fault }: StatusJson['log']): string {
  return `${lost_lines} lines are lost${fault === null ? '' : `, and none is taken now (${fault})`}`
}

function describeWarp({ phase, height, chunks, chunks_done }: NonNullable<StatusJson['sync']['warp']>): string {
  if (phase === 'searching') return 'looks for a snapshot to warp to'
  return `${phase} the snapshot of block ${height}: ${chunks_done} of ${chunks} chunks`
}

function describeWaiting({ waiting }: StatusJson): string {
  if (waiting === null) return 'nothing: it has no chain yet'
  const { message, since, standing_seconds } = waiting
  const stands = standing_seconds === null ? '' : `no block for ${standing_seconds} s: `
  return `${stands}${message}, since ${timeText(since)}`
}

/** "Up to date" is for who would know of a newer block if there were one. */
function describeTip({ sync, waiting, peers, state }: StatusJson): string {
  const stands = waiting !== null && waiting.standing_seconds !== null
  if (stands) return `at ${sync.height}, where the chain stands`
  const hears = state === 'SYNCED' || state === 'PROVIDING'
  if (!hears) return `at ${sync.height}; ${peers.connected === 0 ? 'no peer' : 'no peer with a chain'} tells of more`
  return `up to date by ${sync.strategy}`
}

function describeSync(status: StatusJson): string {
  const { sync } = status
  if (sync.stalled !== null) {
    return `stalled since ${timeText(sync.stalled.since)}: ${sync.stalled.message} (${sync.stalled.code})`
  }
  if (sync.warp !== null) return describeWarp(sync.warp)
  if (sync.height >= sync.target_height) return describeTip(status)
  const eta = sync.eta_seconds === null ? '' : `, ${sync.eta_seconds} s to go`
  return `${sync.height} of ${sync.target_height} by ${sync.strategy}, ${sync.blocks_per_second} blocks/s from ${sync.peers} peers${eta}`
}

function describePending(pending: NonNullable<StatusJson['pending']>): string {
  return `${pending.height} ${pending.hash}, round ${pending.round}, ${pending.signatures} of ${pending.needed} signatures`
}
