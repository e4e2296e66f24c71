import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { handOver } from '../../src/node/hand-over.ts'

function setUp() {
  const sync = new EventEmitter()
  let running = true
  handOver(sync, {
    pause: () => {
      running = false
    },
    resume: () => {
      running = true
    }
  })
  return { sync, isRunning: () => running }
}

test('consensus steps aside for a gap and comes back when it is closed', () => {
  const { sync, isRunning } = setUp()
  sync.emit('started', { from: 10, target: 12 })
  expect(isRunning()).toBe(false)
  sync.emit('done')
  expect(isRunning()).toBe(true)
})

test('a single missing block is no reason to leave the vote: its only holder may be gone', () => {
  const { sync, isRunning } = setUp()
  sync.emit('started', { from: 10, target: 11 })
  expect(isRunning()).toBe(true)
})

test('consensus runs while sync is stalled', () => {
  const { sync, isRunning } = setUp()
  sync.emit('started', { from: 10, target: 500 })
  sync.emit('stalled')
  expect(isRunning()).toBe(true)
  sync.emit('resumed')
  expect(isRunning()).toBe(false)
})
