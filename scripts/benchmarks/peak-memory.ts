import { readFileSync } from 'node:fs'

/**
 * The most memory that this process ever had, in bytes. From the kernel's own mark where there is one:
 * `resourceUsage().maxRSS` of a child starts at what its parent had when it was forked.
 */
export function peakMemory(): number {
  try {
    const mark = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
    if (mark !== null) return Number(mark[1]) * 1024
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024
}
