// Takes the lock on a home and holds it until it is killed, or ends by itself when standard input does. lock-child.mjs HOME
import { writeSync } from 'node:fs'
import { HomeLock } from '../../../dist/node/home-lock.js'

try {
  const lock = await HomeLock.take(process.argv[2])
  writeSync(1, 'held\n')
  process.stdin.resume().once('end', async () => {
    await lock.release()
    process.exit(0)
  })
} catch (error) {
  writeSync(1, `${error.code} ${error.message}\n`)
  process.exit(1)
}
