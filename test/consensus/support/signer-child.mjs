// Signs rounds of height 1 upwards as fast as it can until it is killed; a line for each signature that is out.
// signer-child.mjs DATABASE SALT; its mark is beside it
import { createHash } from 'node:crypto'
import { existsSync, writeFileSync, writeSync } from 'node:fs'
import { Signer } from '../../../dist/consensus/signer.js'
import { encodeSlot, freshMark } from '../../../dist/consensus/signer-mark.js'
import { keyPairFromSeed } from '../../../dist/crypto/ed25519.js'

const [path, salt] = process.argv.slice(2)
const say = (line) => writeSync(1, `${line}\n`)
const key = keyPairFromSeed(new Uint8Array(32).fill(3))
const genesisHash = new Uint8Array(32).fill(9)
const markPath = `${path}.mark`

try {
  if (!existsSync(markPath)) writeFileSync(markPath, encodeSlot(freshMark(key.publicKey, genesisHash), { turn: 0 }))
  const signer = await Signer.open({ path, markPath, key, genesisHash })
  if (signer.doubt !== undefined) throw Object.assign(new Error(signer.doubt.message), { code: signer.doubt.code })
  say('open')
  for (let height = 1; ; height++) {
    for (let round = 0; round < 3; round++) {
      const blockHash = new Uint8Array(createHash('sha256').update(`${salt}/${height}/${round}`).digest())
      const hash = Buffer.from(blockHash).toString('hex')
      const keep = { hash, round, prevotes: [], block: new Uint8Array(1000) }
      for (const [type, kept] of [['PREVOTE'], ['PRECOMMIT', keep]]) {
        try {
          await signer.signVote({ type, height, round, blockHash }, kept)
          say(`signed ${height}/${round}/${type} ${hash}`)
        } catch (error) {
          if (error.code !== 'SIGNER_CONFLICT') throw error
        }
      }
    }
  }
} catch (error) {
  say(`error ${error.code} ${error.message}`)
  process.exitCode = 1
}
