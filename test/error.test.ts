import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { isCalledOff, MolochError } from '../src/error.ts'

test('what ended the work is told from what came up beside it', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const waiting = delay(60_000, undefined, { signal }).catch((error: unknown) => error)
  const reason = new Error('stop')
  expect(isCalledOff(reason, signal)).toBe(false)
  controller.abort(reason)
  expect(isCalledOff(reason, signal)).toBe(true)
  expect(isCalledOff(await waiting, signal)).toBe(true)
  expect(isCalledOff(new MolochError('STORE_FAILED', 'the disk is full'), signal)).toBe(false)
  expect(isCalledOff(new Error('the stream was closed', { cause: reason }), signal)).toBe(false)
  expect(isCalledOff(reason, undefined)).toBe(false)
})
