import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { HomeLock, withHomeLock } from '../../src/node/home-lock.ts'
import { tempDir } from '../support/temp-dir.ts'

const CHILD = fileURLToPath(new URL('support/lock-child.mjs', import.meta.url))

/** A process that has said its first line. */
async function holder(home: string): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, [CHILD, home], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const [said] = await once(child.stdout as NodeJS.ReadableStream, 'data')
  return { child, said: String(said) }
}

const lineOf = (home: string) => `another process works on the home ${home}: stop that one, or use another home`

test('while one process has it no other gets it; a killed one has it no more', async () => {
  const home = tempDir()
  const { child, said } = await holder(home)
  expect(said).toBe('held\n')
  await expect(HomeLock.take(home)).rejects.toMatchObject({ code: 'HOME_LOCKED', message: lineOf(home) })
  expect((await holder(home)).said).toBe(`HOME_LOCKED ${lineOf(home)}\n`)
  expect(await HomeLock.isHeld(home)).toBe(true)
  child.kill('SIGKILL')
  await once(child, 'close')
  expect(await HomeLock.isHeld(home)).toBe(false)
  const next = await holder(home)
  expect(next.said).toBe('held\n')
  next.child.stdin?.end()
  await once(next.child, 'close')
  const lock = await HomeLock.take(home)
  await lock.release()
  await lock.release()
})

test('in one process it is one as well, and ends with the work, however that ends', async () => {
  const home = tempDir()
  const failing = withHomeLock(home, async () => {
    await expect(HomeLock.take(home)).rejects.toMatchObject({ code: 'HOME_LOCKED' })
    throw new Error('the work')
  })
  await expect(failing).rejects.toThrow('the work')
  expect(await withHomeLock(home, async () => 7)).toBe(7)
})

test('to ask whether a home is held changes nothing in it', async () => {
  const home = tempDir()
  expect(await HomeLock.isHeld(home)).toBe(false)
  expect(existsSync(join(home, 'data'))).toBe(false)
})
