import { expect, test } from 'vitest'
import { filesNeeded, openFilesLimit } from '../../src/node/open-files.ts'

test('the limit is the soft one, if the system has one and says it', () => {
  const limits = 'Max processes             63000                63000                processes\n'
  expect(openFilesLimit(`${limits}Max open files            1024                 524288               files\n`)).toBe(
    1024
  )
  expect(openFilesLimit(`${limits}Max open files            unlimited            unlimited            files\n`)).toBe(
    undefined
  )
  expect(openFilesLimit('')).toBe(undefined)
})

test('what is needed grows with the peers that are allowed', () => {
  const of = (max_peers: number) => filesNeeded({ p2p: { max_peers, max_pending_inbound: 32 } as never })
  expect(of(200) - of(100)).toBe(100)
})
