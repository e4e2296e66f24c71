import { Command } from 'commander'
import { expect, test } from 'vitest'
import { addSettingOptions } from '../../src/cli/setting-options.ts'
import { SETTINGS } from '../../src/node/config/settings.ts'

function given(...args: string[]): Record<string, readonly string[]> {
  const command = new Command()
  const settings = addSettingOptions(command)
  command.parse(args, { from: 'user' })
  return Object.fromEntries(settings.given())
}

test('only what is on the command line, by key; short names are the same settings', () => {
  expect(given()).toEqual({})
  expect(given('--api-port', '1', '--mode', 'x')).toEqual({ 'api.port': ['1'], mode: ['x'] })
  expect(given('--listen', 'a', '--p2p-listen', 'b')).toEqual({ 'p2p.listen': ['a', 'b'] })
  expect(given('--bootstrap', 'a', '--verify-events')).toEqual({
    'p2p.bootstrap': ['a'],
    'sync.verify_events': ['true']
  })
})

test('a bare switch is true, and may be given a value', () => {
  expect(given('--p2p-mdns', '--verify-events')).toEqual({ 'p2p.mdns': ['true'], 'sync.verify_events': ['true'] })
  expect(given('--p2p-mdns', 'false')).toEqual({ 'p2p.mdns': ['false'] })
})

test('every setting has its flag', () => {
  for (const { key, flag } of SETTINGS) expect(given(flag, '1')).toEqual({ [key]: ['1'] })
})
