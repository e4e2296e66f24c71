import { parentPort, workerData } from 'node:worker_threads'
import { keyPairFromSeed, sign, verify } from '../../src/crypto/ed25519.ts'

// A thread of bound.verify: checks the signatures of four keys for some seconds and says how many.
const message = new Uint8Array(100).fill(7)
const signed = [1, 2, 3, 4].map((n) => {
  const key = keyPairFromSeed(new Uint8Array(32).fill(n))
  return { publicKey: key.publicKey, signature: sign(key, message) }
})

const until = performance.now() + Number(workerData) * 1000
let checks = 0
while (performance.now() < until) {
  for (const { publicKey, signature } of signed) {
    if (!verify(publicKey, message, signature)) throw new Error('a good signature does not verify')
    checks++
  }
}
parentPort?.postMessage(checks)
