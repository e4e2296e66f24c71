import type { Command } from 'commander'
import { devnetCommand } from '../devnet/command.ts'
import { type Cli, EXIT, usageError } from './cli.ts'
import { newCommand, newGroup } from './command.ts'
import { blockGetCommand } from './commands/block-get.ts'
import { checkpointShowCommand } from './commands/checkpoint-show.ts'
import { configShowCommand } from './commands/config-show.ts'
import { dbVerifyCommand } from './commands/db-verify.ts'
import { eventGetCommand } from './commands/event-get.ts'
import { eventListCommand } from './commands/event-list.ts'
import { eventSubmitCommand } from './commands/event-submit.ts'
import { genesisHashCommand } from './commands/genesis-hash.ts'
import { genesisNewCommand } from './commands/genesis-new.ts'
import { gossipRecordCommand } from './commands/gossip-record.ts'
import { gossipStatsCommand } from './commands/gossip-stats.ts'
import { gossipWatchCommand } from './commands/gossip-watch.ts'
import { initCommand } from './commands/init.ts'
import { keysNewCommand } from './commands/keys-new.ts'
import { keysShowCommand } from './commands/keys-show.ts'
import { peersCommand } from './commands/peers.ts'
import { proofEventCommand } from './commands/proof-event.ts'
import { proofHistoryCommand } from './commands/proof-history.ts'
import { proofVerifyCommand } from './commands/proof-verify.ts'
import { signerAdoptCommand } from './commands/signer-adopt.ts'
import { signerResetCommand } from './commands/signer-reset.ts'
import { signerShowCommand } from './commands/signer-show.ts'
import { snapshotCreateCommand } from './commands/snapshot-create.ts'
import { snapshotExportCommand } from './commands/snapshot-export.ts'
import { snapshotImportCommand } from './commands/snapshot-import.ts'
import { snapshotListCommand } from './commands/snapshot-list.ts'
import { startCommand } from './commands/start.ts'
import { statusCommand } from './commands/status.ts'
import { versionCommand } from './commands/version.ts'
import { report } from './report.ts'

/** Runs one command line (without `node` and the script). @returns the exit code */
export async function run(cli: Cli, args: readonly string[]): Promise<number> {
  try {
    assertText(args)
    await createProgram(cli).parseAsync([...args], { from: 'user' })
    return EXIT.ok
  } catch (error) {
    return report(cli, error)
  }
}

/** What Node makes of bytes that are no UTF-8: they would be signed, or looked for, as something else than was given. */
const REPLACED = '\ufffd'

/** @throws MolochError USAGE */
function assertText(args: readonly string[]): void {
  const index = args.findIndex((arg) => arg.includes(REPLACED))
  if (index < 0) return
  const shown = JSON.stringify(args[index]?.slice(0, 100))
  throw usageError(`argument ${index + 1}, ${shown}, is not UTF-8; UTF-8 is accepted`)
}

export function createProgram(cli: Cli): Command {
  const program = newCommand(cli, 'moloch', {
    summary: 'A node of a Moloch audit chain: who did what to which resource, signed, finalized, provable.',
    example: 'moloch init --genesis genesis.json && moloch start'
  })
  const commands = [
    initCommand(cli),
    startCommand(cli),
    statusCommand(cli),
    peersCommand(cli),
    newGroup(cli, 'event', 'sign, submit and read events', [
      eventSubmitCommand(cli),
      eventGetCommand(cli),
      eventListCommand(cli)
    ]),
    newGroup(cli, 'block', 'read blocks', [blockGetCommand(cli)]),
    newGroup(cli, 'checkpoint', 'what a light node starts from', [checkpointShowCommand(cli)]),
    newGroup(cli, 'snapshot', 'build, copy and import snapshots', [
      snapshotCreateCommand(cli),
      snapshotListCommand(cli),
      snapshotExportCommand(cli),
      snapshotImportCommand(cli)
    ]),
    newGroup(cli, 'proof', 'get and check proofs', [
      proofEventCommand(cli),
      proofHistoryCommand(cli),
      proofVerifyCommand(cli)
    ]),
    newGroup(cli, 'keys', 'make keys and show their public parts', [keysNewCommand(cli), keysShowCommand(cli)]),
    newGroup(cli, 'signer', "what a stopped validator's key has signed", [
      signerShowCommand(cli),
      signerAdoptCommand(cli),
      signerResetCommand(cli)
    ]),
    newGroup(cli, 'genesis', 'make and check what a chain starts from', [
      genesisNewCommand(cli),
      genesisHashCommand(cli)
    ]),
    newGroup(cli, 'gossip', 'watch, record and measure the gossip of a network', [
      gossipWatchCommand(cli),
      gossipRecordCommand(cli),
      gossipStatsCommand(cli)
    ]),
    newGroup(cli, 'db', "a node's database", [dbVerifyCommand(cli)]),
    newGroup(cli, 'config', 'settings', [configShowCommand(cli)]),
    versionCommand(cli)
  ]
  for (const command of commands) program.addCommand(command)
  devnetCommand(program)
  return program.helpCommand(false)
}
