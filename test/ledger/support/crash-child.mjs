// Applies blocks and saves events as fast as it can until it is killed; a line for each thing that is on disk.
// crash-child.mjs DATABASE GENESIS FRAMES EVENTS SEED. Frames and events: each length u32 ‖ bytes.
import { readFileSync, writeSync } from 'node:fs'
import { checkFinalized } from '../../../dist/chain/check-block.js'
import { checkEvent } from '../../../dist/chain/event.js'
import { parseGenesis } from '../../../dist/chain/genesis.js'
import { Ledger } from '../../../dist/ledger/ledger.js'
import { silentLog } from '../../../dist/log.js'

const [path, genesisFile, framesFile, eventsFile, seed] = process.argv.slice(2)
const genesis = parseGenesis(readFileSync(genesisFile, 'utf8'))

function parts(file) {
  const bytes = readFileSync(file)
  const list = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    list.push(new Uint8Array(bytes.subarray(at + 4, at + 4 + length)))
    at += 4 + length
  }
  return list
}

const say = (line) => writeSync(1, `${line}\n`)

const blocks = parts(framesFile).map((bytes) => checkFinalized(genesis, bytes).block)
const events = parts(eventsFile).map((bytes) => checkEvent(bytes, genesis.params))
const tuning = { segmentEvents: 40, stateWork: 60 }
const ledger = await Ledger.open({ path, genesis, log: silentLog, tuning })
say(`open ${ledger.tip.height}`)

async function save() {
  for (const [i, event] of events.entries()) {
    await ledger.saveMempool([event])
    say(`saved ${i}`)
  }
}

async function apply() {
  let random = Number(seed)
  while (ledger.tip.height < blocks.length) {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0
    const { height } = ledger.tip
    const { failure } = await ledger.apply(blocks.slice(height, height + 1 + ((random >>> 16) % 6)))
    if (failure !== undefined) throw new Error(failure.failure.message)
    say(`tip ${ledger.tip.height}`)
  }
}

await Promise.all([save(), apply()])
await ledger.close()
say('done')
