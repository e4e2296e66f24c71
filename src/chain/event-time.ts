/** Whether the blocks to come may take an event, by its timestamp (protocol §3). Pure. */
import { timeText } from '../time-text.ts'
import type { Params } from './params.ts'

/** What is known of the next block's time. Both Unix ms. */
export interface ChainTime {
  /** Of the validators' clocks, as far as it is known. */
  readonly now: number
  /** Of the last final block: the next one is above it, whatever clocks show. */
  readonly tip: number
}

/** `past`: no coming block takes it. `future`: none does yet. */
export type EventTiming = 'in-time' | 'past' | 'future'

type Window = Pick<Params, 'eventWindowMs'>

/** The least time that an honest proposer gives the next block. */
function nextBlock({ now, tip }: ChainTime): number {
  return Math.max(now, tip + 1)
}

export function eventTiming(timestamp: number, time: ChainTime, { eventWindowMs }: Window): EventTiming {
  const away = timestamp - nextBlock(time)
  if (away < -eventWindowMs) return 'past'
  return away > eventWindowMs ? 'future' : 'in-time'
}

/** Why an event that is not in time is refused, and what would be accepted; one line. */
export function describeOutside(timestamp: number, time: ChainTime, { eventWindowMs }: Window): string {
  const next = nextBlock(time)
  const away = Math.abs(Math.round(next - timestamp))
  if (time.tip < time.now) {
    return `timestamp ${timestamp} is ${away} ms from now; at most ${eventWindowMs} is accepted`
  }
  const lead = `chain time is ${timeText(time.tip)}, ${Math.round(time.tip - time.now)} ms ahead of now`
  const taken = `events of ${timeText(next - eventWindowMs)} and later are taken`
  return `timestamp ${timestamp} is ${away} ms from the next block's; at most ${eventWindowMs} is accepted: ${lead}, ${taken}`
}
