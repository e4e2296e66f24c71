// Puts an imported database in place and is killed on the way. carry-child.mjs DATABASE GENESIS BATCH MS
import { readFileSync } from 'node:fs'
import { parseGenesis } from '../../../dist/chain/genesis.js'
import { switchDatabase } from '../../../dist/ledger/snapshot/switch-database.js'

const [path, genesisFile, batch, ms] = process.argv.slice(2)
const genesis = parseGenesis(readFileSync(genesisFile, 'utf8'))
const kill = () => process.kill(process.pid, 'SIGKILL')
// It is asked before the first batch and after each: a time after the one that is named, and at the latest after the next.
let asked = 0
function throwIfAborted() {
  if (asked === Number(batch)) setTimeout(kill, Number(ms))
  if (asked > Number(batch)) kill()
  asked++
}
await switchDatabase(path, genesis, { signal: { aborted: false, throwIfAborted } })
