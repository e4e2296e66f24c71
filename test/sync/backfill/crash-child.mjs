// Fills in history from a file as fast as it can until it is killed; a line for each run of blocks that it was given.
// crash-child.mjs DATABASE GENESIS FRAMES. Frames: each length u32 ‖ bytes, heights from 1.
import { readFileSync, writeSync } from 'node:fs'
import { checkHistory } from '../../../dist/chain/check-block.js'
import { checkHeader } from '../../../dist/chain/check-header.js'
import { parseGenesis } from '../../../dist/chain/genesis.js'
import { Ledger } from '../../../dist/ledger/ledger.js'
import { silentLog } from '../../../dist/log.js'
import { Backfill } from '../../../dist/sync/backfill/backfill.js'

const [path, genesisFile, framesFile] = process.argv.slice(2)
const genesis = parseGenesis(readFileSync(genesisFile, 'utf8'))
const say = (line) => writeSync(1, `${line}\n`)

const bytes = readFileSync(framesFile)
const frames = []
for (let at = 0; at < bytes.length; ) {
  const length = bytes.readUInt32BE(at)
  frames.push(new Uint8Array(bytes.subarray(at + 4, at + 4 + length)))
  at += 4 + length
}

async function* blocks(_peer, { start, count }) {
  for (let at = start; at < start + count; at += 3) {
    await new Promise((resolve) => setImmediate(resolve))
    const end = Math.min(at + 3, start + count)
    say(`given ${at} ${end - 1}`)
    yield frames.slice(at - 1, end - 1)
  }
}

const ledger = await Ledger.open({ path, genesis, log: silentLog, tuning: { segmentEvents: 25, stateWork: 1 } })
const backfill = new Backfill(
  {
    genesis,
    history: ledger.history,
    checker: {
      checkHistory: async (list) => list.map((frame) => checkHistory(genesis, frame)),
      checkHeaders: async (list) => list.map((frame) => checkHeader(genesis, frame))
    },
    blocks,
    headers: async function* () {},
    headerAt: (height) => ledger.headerAt(height),
    busy: () => false,
    log: silentLog
  },
  { pieceHeights: 16 }
)
const done = new Promise((resolve) => backfill.on('done', resolve))
backfill.on('moved', (earliest) => say(`earliest ${earliest}`))
for (const id of ['a', 'b']) backfill.setPeer({ id, height: frames.length, earliest: 1 })
backfill.start()
if (ledger.history.base !== undefined) await done
await backfill.stop()
await ledger.close()
say('done')
