// Applies blocks and builds snapshots as fast as it can until it is killed; a line for each thing that is on disk.
// snapshot-child.mjs DATABASE FOLDER GENESIS FRAMES. Frames: each length u32 ‖ bytes.
import { readFileSync, writeSync } from 'node:fs'
import { checkFinalized } from '../../../dist/chain/check-block.js'
import { parseGenesis } from '../../../dist/chain/genesis.js'
import { Ledger } from '../../../dist/ledger/ledger.js'
import { silentLog } from '../../../dist/log.js'

const [path, folder, genesisFile, framesFile] = process.argv.slice(2)
const genesis = parseGenesis(readFileSync(genesisFile, 'utf8'))
const bytes = readFileSync(framesFile)
const blocks = []
for (let at = 0; at < bytes.length; ) {
  const length = bytes.readUInt32BE(at)
  blocks.push(checkFinalized(genesis, new Uint8Array(bytes.subarray(at + 4, at + 4 + length))).block)
  at += 4 + length
}

const say = (line) => writeSync(1, `${line}\n`)
const snapshots = { folder, keep: 3 }
const ledger = await Ledger.open({ path, genesis, log: silentLog, tuning: { stateWork: 10 }, snapshots })
say(`open ${ledger.tip.height}`)

async function build() {
  while (ledger.tip.height < blocks.length) {
    say(`built ${(await ledger.snapshots.build()) ?? 0}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function apply() {
  while (ledger.tip.height < blocks.length) {
    const { height } = ledger.tip
    const { failure } = await ledger.apply(blocks.slice(height, height + 2))
    if (failure !== undefined) throw new Error(failure.failure.message)
  }
}

await Promise.all([build(), apply()])
await ledger.close()
say('done')
