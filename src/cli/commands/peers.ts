import type { Command } from 'commander'
import { HeldPeerJson, PeerIdJson, type PeerJson, PeersJson } from '../../api/schemas.ts'
import { timeText } from '../../time-text.ts'
import { type Cli, printJson } from '../cli.ts'
import { type ApiOptions, apiClient } from '../client.ts'
import { type CommandText, HOME_OPTION, JSON_OPTION, newCommand, URL_OPTION } from '../command.ts'
import { durationOption } from '../parsers.ts'
import { table } from '../table.ts'

interface Options extends ApiOptions {
  readonly json?: boolean
}

export function peersCommand(cli: Cli): Command {
  return listCommand(cli, 'peers')
    .helpCommand(false)
    .addCommand(listCommand(cli, 'list'))
    .addCommand(addCommand(cli))
    .addCommand(banCommand(cli))
    .addCommand(unbanCommand(cli))
}

/** `moloch peers` is `moloch peers list`. */
function listCommand(cli: Cli, name: string): Command {
  const text = { summary: 'list the peers of a running node, and who is held out', example: 'moloch peers --json' }
  return onNode(cli, name, text).action(async (_, command: Command) => {
    const { json, ...options } = command.optsWithGlobals<Options>()
    const api = apiClient(cli, options)
    const answer = await api.get('/v1/peers', PeersJson)
    while (answer.next_cursor !== null) {
      const { peers, held, next_cursor } = await api.get(`/v1/peers?cursor=${answer.next_cursor}`, PeersJson)
      answer.peers.push(...peers)
      answer.held.push(...held)
      answer.next_cursor = next_cursor
    }
    if (json) return printJson(cli, answer)
    const { peers, held, known } = answer
    if (peers.length === 0) cli.err(`no peers; the address book has ${known}`)
    else cli.out(table(COLUMNS, peers.map(row)))
    if (held.length > 0) cli.out(`\nheld out:\n${table(HELD_COLUMNS, held.map(heldRow))}`)
  })
}

function addCommand(cli: Cli): Command {
  const text = {
    summary: 'connect to a peer now, and remember its address',
    example: 'moloch peers add /ip4/10.0.0.7/tcp/9645/p2p/12D3KooW…'
  }
  return onNode(cli, 'add', text)
    .argument('<address>', 'multiaddr, with or without /p2p/<peer id>')
    .action(async (address: string, _, command: Command) => {
      const { json, ...options } = command.optsWithGlobals<Options>()
      const answer = await apiClient(cli, options).post('/v1/peers', { address }, PeerIdJson)
      if (json) printJson(cli, answer)
      else cli.out(`connected to ${answer.peer_id}`)
    })
}

function banCommand(cli: Cli): Command {
  const text = {
    summary: 'end the session with a peer and keep it out, also over a restart',
    example: 'moloch peers ban 12D3KooW… --for 7d --reason "floods us"'
  }
  return onNode(cli, 'ban', text)
    .argument('<peer id>')
    .option('--for <time>', 'such as 15m, 24h or 7d (default: 24h)', durationOption)
    .option('--reason <text>', 'shown by `moloch peers`')
    .action(async (peerId: string, _, command: Command) => {
      const { json, for: seconds, reason, ...options } = command.optsWithGlobals<Options & BanOptions>()
      const path = `/v1/peers/${encodeURIComponent(peerId)}/ban`
      const held = await apiClient(cli, options).post(path, { seconds, reason }, HeldPeerJson)
      if (json) printJson(cli, held)
      else cli.out(`${held.peer_id} is held out until ${timeText(held.until)}`)
    })
}

interface BanOptions {
  readonly for?: number
  readonly reason?: string
}

function unbanCommand(cli: Cli): Command {
  const text = {
    summary: 'let a peer in again that was held out, with a clean slate',
    example: 'moloch peers unban 12D3KooW…'
  }
  return onNode(cli, 'unban', text)
    .argument('<peer id>')
    .action(async (peerId: string, _, command: Command) => {
      const { json, ...options } = command.optsWithGlobals<Options>()
      const answer = await apiClient(cli, options).delete(`/v1/peers/${encodeURIComponent(peerId)}/ban`, PeerIdJson)
      if (json) printJson(cli, answer)
      else cli.out(`${answer.peer_id} may connect again`)
    })
}

function onNode(cli: Cli, name: string, text: CommandText): Command {
  return newCommand(cli, name, text)
    .option(...HOME_OPTION)
    .option(...URL_OPTION)
    .option(...JSON_OPTION)
}

const COLUMNS = [
  'PEER',
  'STATE',
  'HEIGHT',
  'MODE',
  'SCORE',
  'POINTS',
  'VALIDATOR',
  'DIRECTION',
  'ADDRESS',
  'LAST FAULT'
]

function row(peer: PeerJson): string[] {
  return [
    peer.peer_id,
    peer.state,
    String(peer.height),
    peer.mode ?? '-',
    peer.score.toFixed(1),
    peer.penalty_points.toFixed(1),
    peer.validator ?? '-',
    peer.direction,
    peer.address,
    peer.last_fault === null ? '-' : `${peer.last_fault.code} at ${timeText(peer.last_fault.at)}`
  ]
}

const HELD_COLUMNS = ['PEER', 'VERDICT', 'UNTIL', 'CODE', 'REASON']

function heldRow({ peer_id, verdict, until, code, message }: HeldPeerJson): string[] {
  return [peer_id, verdict, timeText(until), code, message]
}
