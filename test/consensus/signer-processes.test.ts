import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { Random } from '../support/random.ts'
import { tempDir } from '../support/temp-dir.ts'

const CHILD = fileURLToPath(new URL('support/signer-child.mjs', import.meta.url))
const KILLS = Math.max(2, Math.round(3 * Number(process.env.MOLOCH_RUNS ?? 1)))

function start(path: string, salt: string): ChildProcess {
  const child = spawn(process.execPath, [CHILD, path, salt], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

/** The lines of a child until it ends; it is killed after `kill` of them. */
async function linesOf(child: ChildProcess, kill: number): Promise<string[]> {
  const lines: string[] = []
  createInterface(child.stdout!).on('line', (line) => {
    lines.push(line)
    if (lines.length === kill) child.kill('SIGKILL')
  })
  await once(child, 'close')
  return lines
}

it('two processes cannot sign with one log: the second gets one line', async () => {
  const path = join(tempDir(), 'signer')
  const first = start(path, 'a')
  await once(first.stdout!, 'data')
  const lines = await linesOf(start(path, 'b'), 1000)
  expect(lines).toEqual([`error SIGNER_LOCKED another process signs with ${path}: stop it, or use another home`])
  first.kill('SIGKILL')
  await once(first, 'close')
  const after = await linesOf(start(path, 'b'), 3)
  expect(after[0]).toBe('open')
})

it('killed at any moment and started with other wishes, it never signs two votes for one slot', async () => {
  const path = join(tempDir(), 'signer')
  const random = new Random(Number(process.env.MOLOCH_SEED ?? 1))
  const signed = new Map<string, string>()
  for (let life = 0; life < KILLS; life++) {
    for (const line of await linesOf(start(path, `life ${life}`), 2 + random.below(60))) {
      const [what, slot = '', hash = ''] = line.split(' ')
      if (what !== 'signed') continue
      expect(signed.get(slot) ?? hash, slot).toBe(hash)
      signed.set(slot, hash)
    }
  }
  expect(signed.size).toBeGreaterThan(KILLS)
})
