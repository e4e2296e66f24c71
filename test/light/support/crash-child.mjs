// Applies headers as fast as it can until it is killed; a line for each tip that is on disk.
// crash-child.mjs DATABASE GENESIS HEADERS SEED. Headers: each length u32 ‖ bytes.
import { readFileSync, writeSync } from 'node:fs'
import { checkHeader } from '../../../dist/chain/check-header.js'
import { parseGenesis } from '../../../dist/chain/genesis.js'
import { LightChain } from '../../../dist/light/light-chain.js'
import { silentLog } from '../../../dist/log.js'

const [path, genesisFile, headersFile, seed] = process.argv.slice(2)
const genesis = parseGenesis(readFileSync(genesisFile, 'utf8'))
const packed = readFileSync(headersFile)
const headers = []
for (let at = 0; at < packed.length; ) {
  const length = packed.readUInt32BE(at)
  headers.push(checkHeader(genesis, new Uint8Array(packed.subarray(at + 4, at + 4 + length))).header)
  at += 4 + length
}

const say = (line) => writeSync(1, `${line}\n`)
const chain = await LightChain.open({ path, genesis, log: silentLog, keepHeaders: 50 })
say(`tip ${chain.tip.height}`)
let random = Number(seed)
while (chain.tip.height < headers.length) {
  random = (Math.imul(random, 1103515245) + 12345) >>> 0
  const { height } = chain.tip
  const { failure } = await chain.apply(headers.slice(height, height + 1 + ((random >>> 16) % 6)))
  if (failure !== undefined) throw new Error(failure.failure.message)
  say(`tip ${chain.tip.height}`)
}
await chain.close()
say('done')
