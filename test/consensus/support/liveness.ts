/** By when a healed network has to have decided, from what the protocol says: nothing here was measured. */
import { askAgainMs, roundMs } from '../../../src/consensus/pace.ts'
import { HEALED_DELAY_MS, MAX_DOWN_MS, SIM_DISK_MS, SIM_THREAD_MS, type Simulation } from './simulation.ts'

/** Validators are asked two or three at a time, each in its turn: after so often, each that is not faulty has been. */
const timesToAskAll = (size: number): number => Math.ceil((size - 1) / 2)

/** A proposal or vote is signed (log and mark), sent, checked, and its like from the others too. */
const STEP_MS = 2 * SIM_DISK_MS + HEALED_DELAY_MS + 2 * SIM_THREAD_MS

/**
 * A validator that was started asks those each second that it has not heard (seat.ts). Of four questions to one peer that were all
 * lost, each a second after the one before, the oldest is given up after 5 s: two seconds after the last at most (asker.ts).
 */
const LISTENING_MS = 3000

/** Until all that were down when the network healed take part again. */
export const BACK_MS = MAX_DOWN_MS + LISTENING_MS

/**
 * How far above the latest round that an honest validator is in when all are back the height is decided at most. Before that
 * rounds pass without a quorum, however many. Those that may fail:
 *
 * - the one that is under way: what was lost in it is lost.
 * - one for each time of asking until everybody has what any honest validator had. From then on what one has all have within
 *   a round: votes of the round by gossip, what an honest precommit rests on by asking (rule 11). So an honest proposer
 *   offers what no honest lock forbids, and the round decides if all are in it in time.
 * - one for each faulty proposer. These are at most f in a row.
 * - one after each of them: it can give votes to some of us alone, which enter the next round while the others wait for a
 *   proposal in it. Its own turn comes before it can do it again.
 */
export function roundsAllowed({ size, genesis }: Pick<Simulation, 'size' | 'genesis'>): number {
  return 1 + timesToAskAll(size) + 2 * genesis.validators.faulty
}

/** From when all are back. @param round the latest that an honest validator is in then */
export function msAllowed(simulation: Pick<Simulation, 'size' | 'genesis'>, round: number): number {
  const { params } = simulation.genesis
  const asking = askAgainMs(params, 'propose', round, Number.MAX_SAFE_INTEGER) + 2 * HEALED_DELAY_MS
  let rounds = 0
  for (let i = 0; i <= roundsAllowed(simulation); i++) rounds += roundMs(params, round + i) + 3 * STEP_MS
  return timesToAskAll(simulation.size) * asking + params.emptyBlockIntervalMs + rounds
}
