// Puts an imported database in place until it is killed; a line when it begins and when it is done. carry-child.mjs DATABASE GENESIS
import { readFileSync, writeSync } from 'node:fs'
import { parseGenesis } from '../../../dist/chain/genesis.js'
import { switchDatabase } from '../../../dist/ledger/switch-database.js'

const [path, genesisFile] = process.argv.slice(2)
const genesis = parseGenesis(readFileSync(genesisFile, 'utf8'))
const say = (line) => writeSync(1, `${line}\n`)
say('begin')
const { switched } = await switchDatabase(path, genesis)
say(`end ${switched}`)
