/**
 * Preloaded into a node (`NODE_OPTIONS=--import=…`): its clock is off by what `HOME/clock-offset` says, in ms, which may
 * change while it runs. What is monotonic stays as it is.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const at = process.argv.indexOf('--home')
const file = at < 0 ? undefined : join(process.argv[at + 1], 'clock-offset')
let offset = 0

function read() {
  try {
    offset = Number(readFileSync(file, 'utf8'))
  } catch {
    offset = 0
  }
}

if (file !== undefined) {
  read()
  setInterval(read, 50).unref()
  const { now } = Date
  Date.now = () => now() + offset
  globalThis.Date = class extends Date {
    constructor(...args) {
      super(...(args.length === 0 ? [Date.now()] : args))
    }
  }
}
