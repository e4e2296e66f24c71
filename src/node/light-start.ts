/** How a light node comes to trust its first header. */
import { type Checkpoint, checkpointText } from '../chain/checkpoint.ts'
import { equalBytes } from '../codec/bytes.ts'
import { MolochError } from '../error.ts'
import { fetchCheckpoint } from '../light/fetch-checkpoint.ts'
import type { LightChain } from '../light/light-chain.ts'
import type { Log } from '../log.ts'
import type { Network } from '../network/types.ts'
import { lightSources } from './light-sources.ts'

export interface BeginPorts {
  readonly network: Network
  readonly getHeaders: Network['getHeaders']
  readonly penalise: (peer: string, code: string, message: string) => void
  /** The hash of the certified header of a height above the tip, which is the tip by then. */
  readonly skip: (height: number) => Promise<Uint8Array>
  /** The hash of a header below the tip, proven. */
  readonly lookup: (height: number) => Promise<Uint8Array>
  readonly log: Log
  readonly signal: AbortSignal
}

/** Takes the checkpoint's header, unless the chain is at it or past it already. */
export async function begin(chain: LightChain, wanted: Checkpoint | undefined, ports: BeginPorts): Promise<void> {
  if (wanted === undefined) return
  const held = await chain.headerAt(wanted.height)
  if (held !== undefined) {
    if (equalBytes(held.hash, wanted.hash)) return
    throw wrongCheckpoint(wanted, held.hash)
  }
  ports.log.info({}, `looking for the checkpoint ${checkpointText(wanted)} at peers`)
  const { network, getHeaders, penalise, log, signal } = ports
  const peers = () => lightSources(network)
  const found = await fetchCheckpoint({ genesis: chain.genesis, peers, getHeaders, penalise, log }, wanted, signal)
  if (chain.tip.height === 0) {
    const failure = await chain.openAt(found.header, found.peaks)
    if (failure !== undefined) throw new MolochError(failure.code, failure.message)
    return
  }
  // There are headers already: the checkpoint has to be of their chain.
  const proven = wanted.height > chain.tip.height ? await ports.skip(wanted.height) : await ports.lookup(wanted.height)
  if (!equalBytes(proven, wanted.hash)) throw wrongCheckpoint(wanted, proven)
}

function wrongCheckpoint(wanted: Checkpoint, hash: Uint8Array): MolochError {
  const ours = checkpointText({ height: wanted.height, hash })
  const message = `the headers here are another chain's than the checkpoint ${checkpointText(wanted)}: they have ${ours}`
  return new MolochError('WRONG_CHECKPOINT', message)
}

export async function trustedStart(chain: LightChain) {
  const height = chain.checkpoint?.height ?? 0
  const found = await chain.headerAt(height)
  if (found === undefined) throw new MolochError('STORE_CORRUPT', `header ${height}, the checkpoint, is missing`)
  return { height, hash: found.hash, timestamp: found.header.timestamp }
}
