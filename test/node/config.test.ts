import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MolochError } from '../../src/error.ts'
import { renderConfigFile } from '../../src/node/config/file.ts'
import { type ConfigInput, defaultConfig, loadConfig, settingValue } from '../../src/node/config/load.ts'
import { SETTINGS } from '../../src/node/config/settings.ts'
import { checkValue } from '../../src/node/config/values.ts'

const PEER = '/ip4/127.0.0.1/tcp/9645/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'moloch-config-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function load(parts: { toml?: string | Uint8Array; env?: Record<string, string>; flags?: Record<string, string[]> }) {
  const file = join(dir, 'config.toml')
  writeFileSync(file, parts.toml ?? '')
  const input: ConfigInput = {
    home: dir,
    file,
    env: parts.env ?? {},
    flags: new Map(Object.entries(parts.flags ?? {}))
  }
  return loadConfig(input)
}

function failure(parts: Parameters<typeof load>[0]): MolochError {
  try {
    load(parts)
  } catch (error) {
    if (error instanceof MolochError) return error
    throw error
  }
  throw new Error('was accepted')
}

describe('precedence', () => {
  test('flag > environment > file > default, with origins', () => {
    const toml = '[api]\nport = 1\nhost = "127.0.0.2"\n[p2p]\nmax_peers = 7\n'
    const env = { MOLOCH_API_PORT: '2', MOLOCH_API_HOST: '127.0.0.3', UNRELATED: 'x' }
    const { config, origins } = load({ toml, env, flags: { 'api.port': ['3'] } })
    expect(config.api.port).toBe(3)
    expect(config.api.host).toBe('127.0.0.3')
    expect(config.p2p.max_peers).toBe(7)
    expect(config.log.level).toBe('info')
    expect(config.home).toBe(dir)
    expect(origins.get('api.port')).toEqual({ kind: 'flag', name: '--api-port' })
    expect(origins.get('api.host')).toEqual({ kind: 'env', name: 'MOLOCH_API_HOST' })
    expect(origins.get('p2p.max_peers')).toEqual({ kind: 'file', name: join(dir, 'config.toml') })
    expect(origins.get('log.level')).toEqual({ kind: 'default', name: 'default' })
  })

  test('lists: a TOML array, commas in the environment, a flag given several times', () => {
    expect(load({ toml: `[p2p]\nbootstrap = ["${PEER}"]` }).config.p2p.bootstrap).toEqual([PEER])
    expect(load({ env: { MOLOCH_P2P_BOOTSTRAP: `${PEER}, ${PEER}` } }).config.p2p.bootstrap).toEqual([PEER, PEER])
    expect(load({ flags: { 'p2p.bootstrap': [PEER, PEER] } }).config.p2p.bootstrap).toEqual([PEER, PEER])
    expect(
      load({ toml: `[p2p]\nbootstrap = ["${PEER}"]`, env: { MOLOCH_P2P_BOOTSTRAP: '' } }).config.p2p.bootstrap
    ).toEqual([])
  })

  test('a file that is not there is an empty one', () => {
    expect(loadConfig({ home: dir, file: join(dir, 'none.toml') }).config).toEqual(defaultConfig(dir))
  })
})

describe('what is refused, in one line that names it and what would do', () => {
  const cases: [string, Parameters<typeof load>[0], RegExp][] = [
    ['unknown key', { toml: '[p2p]\nmax_peer = 3' }, /unknown key "p2p\.max_peer" .*config\.toml.* "p2p\.max_peers"/],
    ['unknown section', { toml: '[logs]\nlevel = "info"' }, /unknown key "logs\.level" .* "log\.level"/],
    ['unknown top key', { toml: 'mod = "full"' }, /unknown key "mod" .* "mode"/],
    ['key with dots inside a section', { toml: '[p2p]\nmdns.on = true' }, /p2p\.mdns .*true or false/],
    ['unknown variable', { env: { MOLOCH_LOG_LEVL: 'info' } }, /MOLOCH_LOG_LEVL .*MOLOCH_LOG_LEVEL/],
    ['not TOML', { toml: '[p2p\nx = 1' }, /config\.toml:1:\d+: .*TOML/],
    [
      'wrong type',
      { toml: '[api]\nport = "8645"' },
      /api\.port \(.*config\.toml\): "8645" .*whole number from 0 to 65535/
    ],
    ['float', { toml: '[api]\nport = 1.5' }, /1\.5 .*whole number/],
    ['date', { toml: '[api]\nport = 2020-01-01' }, /whole number/],
    ['out of range', { env: { MOLOCH_API_PORT: '70000' } }, /api\.port \(MOLOCH_API_PORT\): "70000" .*0 to 65535/],
    [
      'neither 0 nor enough',
      { toml: '[light]\nkeep_headers = 5' },
      /light\.keep_headers .*5 .*0, or a whole number from 1024 to 1000000000/
    ],
    ['not a number', { flags: { 'api.port': ['many'] } }, /--api-port: "many" .*whole number/],
    ['empty number', { env: { MOLOCH_API_PORT: '' } }, /whole number/],
    ['huge number', { env: { MOLOCH_API_PORT: '9'.repeat(400) } }, /whole number/],
    ['not one of', { toml: '[log]\nlevel = "loud"' }, /"loud" .*one of trace, debug, info/],
    ['mode not there', { flags: { mode: ['heavy'] } }, /--mode: "heavy" .*full, light/],
    ['checkpoint', { flags: { checkpoint: ['12:ab'] } }, /"12:ab" .*HEIGHT:HASH, the hash as 64 hex digits/],
    ['boolean', { env: { MOLOCH_P2P_MDNS: 'yes' } }, /"yes" .*true or false/],
    ['multiaddr', { toml: '[p2p]\nlisten = ["127.0.0.1:9645"]' }, /multiaddrs such as \/ip4\/127\.0\.0\.1\/tcp\/9645/],
    ['bootstrap without id', { env: { MOLOCH_P2P_BOOTSTRAP: '/ip4/1.2.3.4/tcp/1' } }, /\/p2p\/<peer id>/],
    ['list of numbers', { toml: '[p2p]\nlisten = [1]' }, /list of multiaddrs/],
    ['a BOM', { toml: '\ufeff[api]\nport = 1' }, /config\.toml line 1 begins with a byte order mark/],
    ['Latin-1', { toml: Buffer.from('[api]\ntoken = "caf\xe9"', 'latin1') }, /config\.toml line 2 is not UTF-8/],
    ['Latin-1 in the environment', { env: { MOLOCH_API_TOKEN: 'caf\ufffd' } }, /MOLOCH_API_TOKEN .* is not UTF-8/],
    ['minus nothing', { env: { MOLOCH_API_PORT: '-0' } }, /"-0" .*whole number/],
    ['host', { flags: { 'api.host': ['a b'] } }, /IP address or a host name/]
  ]
  test.each(cases)('%s', (_, parts, pattern) => {
    const error = failure(parts)
    expect(error.message).toMatch(pattern)
    expect(error.message).not.toContain('\n')
    expect(error.code).toBe(parts.flags === undefined ? 'BAD_CONFIG' : 'BAD_OPTION')
  })

  test('a refused secret is not repeated', () => {
    const error = failure({ toml: '[api]\ntoken = 12345' })
    expect(error.message).toMatch(/api\.token .*text is/)
    expect(error.message).not.toContain('12345')
  })

  test('a wrong value in the file, also when a flag overrides it', () => {
    expect(failure({ toml: '[api]\nport = -1', flags: { 'api.port': ['1'] } }).message).toMatch(/-1/)
  })
})

test('addresses of a Kubernetes service are not settings', () => {
  const env = {
    MOLOCH_API_PORT: 'tcp://10.0.0.1:8645',
    MOLOCH_API_SERVICE_HOST: '10.0.0.1',
    MOLOCH_API_SERVICE_PORT_HTTP: '1',
    MOLOCH_PORT_9645_TCP_ADDR: '10.0.0.1'
  }
  expect(load({ env }).config).toEqual(defaultConfig(dir))
})

describe('the schema', () => {
  test('accepts each of its own defaults', () => {
    for (const setting of SETTINGS) expect(checkValue(setting, setting.initial)).toEqual({ value: setting.initial })
  })

  test('describes every setting, and gives each its own names', () => {
    for (const setting of SETTINGS) expect(setting.description).not.toBe('')
    expect(new Set(SETTINGS.map((s) => s.env)).size).toBe(SETTINGS.length)
    expect(new Set(SETTINGS.map((s) => s.flag)).size).toBe(SETTINGS.length)
  })

  test('renders a file that reads back as what was put in', () => {
    const values = { 'p2p.bootstrap': [PEER], 'api.port': 0, 'log.level': 'warn', 'p2p.mdns': true }
    const { config, origins } = load({ toml: renderConfigFile(new Map(Object.entries(values))) })
    for (const [key, value] of Object.entries(values)) expect(settingValue(config, key)).toEqual(value)
    expect([...origins.values()].filter((origin) => origin.kind === 'file')).toHaveLength(4)
    expect(config).toEqual(defaultConfig(dir, values))
  })

  test('renders defaults that may be uncommented one and all', () => {
    const toml = renderConfigFile(new Map()).replaceAll(/^#(\w+ =)/gm, '$1')
    const { origins } = load({ toml })
    const fromFile = [...origins.values()].filter((origin) => origin.kind === 'file')
    expect(fromFile).toHaveLength(SETTINGS.length)
  })
})
