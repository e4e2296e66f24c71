import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { concatBytes, toHex, u32be } from '../../src/codec/bytes.ts'
import { LightChain } from '../../src/light/light-chain.ts'
import { silentLog } from '../../src/log.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { Random } from '../support/random.ts'
import { tempDir } from '../support/temp-dir.ts'
import { trustedHeaders } from '../support/trusted-headers.ts'

const CHILD = fileURLToPath(new URL('support/crash-child.mjs', import.meta.url))
const seed = Number(process.env.MOLOCH_SEED ?? 1)
const KILLS = Math.max(1, Math.round(6 * Number(process.env.MOLOCH_RUNS ?? 1)))

/** Runs the child and kills it after so many lines. @returns the tip that it last said was on disk */
function runAndKill(args: string[], lines: number): Promise<{ tip: number; done: boolean }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    const heard = { tip: 0, done: false }
    let left = lines
    createInterface(child.stdout).on('line', (line) => {
      const [what, height] = line.split(' ')
      if (what === 'tip') heard.tip = Number(height)
      if (what === 'done') heard.done = true
      if (left-- === 0) child.kill('SIGKILL')
    })
    child.on('error', reject)
    // 'close': what was written before the kill has been read.
    child.on('close', () => resolve(heard))
  })
}

test('killed at any moment it opens at its last trusted header, and holds what it says it holds', async () => {
  const chain = chainInMemory(300, { eventsPerBlock: 0, seed: 63 })
  const { genesis } = chain
  const headers = trustedHeaders(chain)
  const dir = tempDir()
  const path = join(dir, 'chain')
  const files = [join(dir, 'genesis.json'), join(dir, 'headers')] as const
  writeFileSync(files[0], genesis.json)
  writeFileSync(files[1], concatBytes(...headers.flatMap((bytes) => [u32be(bytes.byteLength), bytes])))
  const random = new Random(seed)
  let tip = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const heard = await runAndKill([path, ...files, String(seed + kill)], random.below(40))
    const made = await LightChain.open({ path, genesis, log: silentLog })
    const { height, hash } = made.tip
    expect(height).toBeGreaterThanOrEqual(Math.max(tip, heard.tip))
    if (height > 0) expect(toHex(hash)).toBe(toHex(chain.blocks[height - 1]?.hash as Uint8Array))
    for (let h = 1; h <= 300; h++) {
      const row = await made.trustedAt(h)
      const held = h <= height && h > height - 50
      expect(row && toHex(row), `header ${h} of ${height}`).toBe(held ? toHex(headers[h - 1] as Uint8Array) : undefined)
    }
    await made.close()
    tip = height
    if (heard.done) break
  }
  expect(tip).toBeGreaterThan(0)
})
