/** Whether the limit of open files is enough for what the configuration allows: said at start, and not when a peer is lost to it. */
import { readFile } from 'node:fs/promises'
import { MAX_SOCKETS, RESERVED_SOCKETS } from '../api/limits.ts'
import { MolochError } from '../error.ts'
import type { Log } from '../log.ts'
import type { Config } from './config/schema.ts'

/** The process itself, its threads, its databases with all the tables that they keep open, the log, a trace. */
const BASE_FILES = 128
/** Peers that have not passed Hello, and those that are being dialled. */
const STRANGERS = 64
/** With less the program cannot be loaded: Node opens more than 200 of its files at once. A node with some peers needs fewer. */
const FEWEST_FILES = 256

/** What a node of this configuration may have open at once. */
export function filesNeeded({ p2p }: Pick<Config, 'p2p'>): number {
  const peers = p2p.max_peers + p2p.max_pending_inbound + STRANGERS
  return Math.max(FEWEST_FILES, BASE_FILES + peers + MAX_SOCKETS + RESERVED_SOCKETS)
}

/** @param limits what Linux says of a process @returns undefined: it does not say, or there is none */
export function openFilesLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)\s/m.exec(limits)?.[1]
  return soft === undefined ? undefined : Number(soft)
}

/** @throws MolochError TOO_FEW_FILES with fewer than anything works with */
export async function assertOpenFiles(): Promise<void> {
  const have = await limit()
  if (have === undefined || have >= FEWEST_FILES) return
  const message = `the limit of open files is ${have}, and at least ${FEWEST_FILES} are needed to start at all, more for peers and callers: ${remedy(FEWEST_FILES)}`
  throw new MolochError('TOO_FEW_FILES', message, { have, need: FEWEST_FILES })
}

/** Warns if the configuration may need more than there are. */
export async function checkOpenFiles(config: Pick<Config, 'p2p'>, log: Log): Promise<void> {
  const have = await limit()
  const need = filesNeeded(config)
  if (have === undefined || have >= need) return
  // Most of what is needed is for the API, which is bounded by no setting.
  const fewerPeers = need - config.p2p.max_peers < have ? ', or a smaller p2p.max_peers' : ''
  const message = `the limit of open files is ${have}, and this configuration may need ${need} (p2p.max_peers = ${config.p2p.max_peers}): peers and callers of the API will be lost when it is reached; ${remedy(need)}${fewerPeers}`
  log.warn({ code: 'TOO_FEW_FILES', have, need }, message)
}

/** Elsewhere than on Linux there is no such file, and nothing to be said. */
async function limit(): Promise<number | undefined> {
  return openFilesLimit(await readFile('/proc/self/limits', 'utf8').catch(() => ''))
}

function remedy(need: number): string {
  return `\`ulimit -n ${need}\` before the start, or LimitNOFILE=${need} in a systemd unit`
}
