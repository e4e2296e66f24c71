import { readFileSync } from 'node:fs'

/** The kernel counts in these for all programs, on every machine. */
const TICKS_PER_SECOND = 100

/** CPU time of processes with all their threads, in seconds. From /proc: Linux only. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticks(readFileSync(`/proc/${pid}/stat`, 'utf8')), 0) / TICKS_PER_SECOND
}

function ticks(stat: string): number {
  // The name of the program is in brackets and may have blanks; utime and stime are the 12th and 13th field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}
