// Warps until it is killed; a line for each step. warp-child.mjs HOME GENESIS CHECKPOINT ADDRESS...
import '../../../../dist/polyfill.js'
import { readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { parseCheckpoint } from '../../../../dist/chain/checkpoint.js'
import { parseGenesis } from '../../../../dist/chain/genesis.js'
import { genesisBlockHash, genesisHeader } from '../../../../dist/chain/header.js'
import { checkChunk } from '../../../../dist/chain/snapshot-chunks.js'
import { keyPairFromSeed } from '../../../../dist/crypto/ed25519.js'
import { silentLog } from '../../../../dist/log.js'
import { createNetwork } from '../../../../dist/network/node.js'
import { DEVNET_SETTINGS } from '../../../../dist/network/settings.js'
import { Warp } from '../../../../dist/sync/warp/warp.js'

const [home, genesisFile, checkpoint, ...bootstrap] = process.argv.slice(2)
const genesis = parseGenesis(readFileSync(genesisFile, 'utf8'))
const say = (line) => writeSync(1, `${line}\n`)

const header = genesisHeader(genesis)
const hash = genesisBlockHash(genesis)
const head = { height: 0, hash, mmrRoot: hash, header, commit: undefined, earliestHeight: 1, syncing: true }
const network = createNetwork({
  genesis,
  peerKey: await generateKeyPair('Ed25519'),
  chainKey: keyPairFromSeed(new Uint8Array(32).fill(3)),
  mode: 'WARP',
  listen: [],
  bootstrap,
  userAgent: 'test/warp',
  log: silentLog,
  settings: { ...DEVNET_SETTINGS, subscriptionMs: 100 },
  ports: {
    head: () => head,
    async *readBlocks() {},
    readVotes: async () => ({ votes: [], proposal: hash, block: hash, finalized: hash })
  }
})
const warp = new Warp(
  {
    genesis,
    network: {
      getManifest: (...args) => network.getManifest(...args),
      getHeaders: (...args) => network.getHeaders(...args),
      async getChunk(...args) {
        say(`ask ${args[1].chunk}`)
        const data = await network.getChunk(...args)
        say(`got ${args[1].chunk}`)
        return data
      }
    },
    log: silentLog,
    checkChunk: async (plan, data) => {
      const check = checkChunk(genesis, [plan], 0, data)
      return check.ok ? undefined : check.failure
    }
  },
  {
    checkpoint: parseCheckpoint(checkpoint),
    path: join(home, 'chain'),
    folder: join(home, 'warp'),
    requestsPerPeer: 1,
    gatherMs: 0
  }
)
warp.on('penalise', (_, failure) => say(`penalise ${failure.code}`))
network.sessions.on('update', ({ peerId, source, height, earliestHeight }) => {
  if (source && height > 0) warp.setPeer({ id: peerId, height, earliest: earliestHeight })
})
let phase = ''
const watch = setInterval(() => {
  const state = warp.state()
  if (state.phase !== phase) say(state.phase)
  phase = state.phase
}, 1)
say('begun')
await network.start()
const outcome = await warp.run(new AbortController().signal)
clearInterval(watch)
say(`end ${outcome.kind}`)
await network.stop()
