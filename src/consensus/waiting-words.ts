/** The words for what is waited for and for what is wrong with clocks: the same in log, status and readiness. Pure. */
import { timeText } from '../time-text.ts'
import { type Abstention, describeAbstention } from './abstention.ts'
import type { Clocks } from './clocks.ts'
import type { Absent, Waiting } from './waiting.ts'

/** What follows "waits for". @param abstention why this validator signs nothing, if it does not */
export function describeWaiting(waiting: Waiting, abstention: Abstention | undefined): string {
  switch (waiting.for) {
    case 'genesis-time':
      return `the genesis's time, ${timeText(waiting.until)}`
    case 'sync':
      return 'blocks that peers have'
    case 'others':
      return 'a block that the validators make final'
    case 'turn':
      return `the turn of ${whose(waiting)}: an event, or the time of an empty block`
    case 'validators': {
      const { here, needed, missing } = waiting
      return `validators: ${here} of ${needed} needed are here; missing: ${names(missing, abstention)}`
    }
    case 'proposal':
      return `the proposal of ${whose(waiting)} in round ${waiting.round}`
    case 'block':
      return waiting.held
        ? `the check of the block in round ${waiting.round}`
        : `a block that round ${waiting.round} names and no peer has given yet`
    case 'old-prevotes':
      return `the prevotes of round ${waiting.round} that the proposal rests on: ${waiting.have} of ${waiting.needed}`
    case 'votes': {
      const { round, type, have, needed, missing } = waiting
      return `${type} of round ${round}: ${have} of ${needed} needed; missing: ${names(missing, abstention)}`
    }
    case 'next-round':
      return `the next round: in round ${waiting.round} validators voted for different things`
    case 'disk':
      return 'the decided block to be on disk'
    case 'restart':
      return `a restart of this node: ${waiting.reason}`
  }
}

function whose({ proposer, own }: { readonly proposer: string; readonly own: boolean }): string {
  return own ? `${proposer}, this node` : proposer
}

function names(missing: readonly Absent[], abstention: Abstention | undefined): string {
  const own = abstention === undefined ? 'this node' : `this node, which ${describeAbstention(abstention)}`
  return missing
    .map(({ validator, why }) => {
      if (why === 'silent') return validator
      return `${validator} (${why === 'self' ? own : 'not connected'})`
    })
    .join(', ')
}

/** Something that is wrong with a clock. `key`: what it is about, however far off that is. */
export interface ClockFault {
  readonly key: string
  readonly message: string
}

/** @param refused validators whose last fresh proposal this node found too far ahead of its clock, by ms */
export function clockFaults(clocks: Clocks, refused: ReadonlyMap<string, number>): ClockFault[] {
  const { ownAheadMs, wrong } = clocks
  const faults: ClockFault[] = []
  if (ownAheadMs !== 0) {
    faults.push({ key: 'own', message: `this node's clock is ${apart(ownAheadMs)} the median of the validators'` })
  }
  for (const { validator, aheadMs } of wrong) {
    faults.push({ key: validator, message: `the clock of ${validator} is ${apart(aheadMs)} the other validators'` })
  }
  for (const [validator, aheadMs] of refused) {
    if (wrong.some((one) => one.validator === validator)) continue
    const whose = ownAheadMs < 0 ? '' : ' (whose is wrong is not known)'
    const message = `the proposal of ${validator} was refused: its time is ${apart(aheadMs)} this node's clock${whose}`
    faults.push({ key: validator, message })
  }
  return faults
}

function apart(aheadMs: number): string {
  return `${seconds(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'}`
}

/** "2.5 s", "3600 s". */
export function seconds(ms: number): string {
  return `${ms < 10_000 ? Math.round(ms / 100) / 10 : Math.round(ms / 1000)} s`
}
