import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { openHome } from '../../src/node/home.ts'
import { createKeyFile } from '../../src/node/key-files.ts'
import { tempDir } from '../support/temp-dir.ts'
import { moloch } from './support/run.ts'

const SEED = new Uint8Array(32).fill(7)
const KEY = toHex(keyPairFromSeed(SEED).publicKey)

/** A folder with v.key, its genesis and nothing else. */
async function withGenesis(): Promise<{ dir: string; genesis: string; hash: string; key: string }> {
  const dir = tempDir()
  const [genesis, key] = [join(dir, 'genesis.json'), join(dir, 'v.key')]
  createKeyFile(key, SEED)
  const made = await moloch(['genesis', 'new', '--chain-id', 'cli', '--validator', `v=${key}`, '--out', genesis])
  expect(made.code).toBe(0)
  return { dir, genesis, key, hash: made.err.replace('genesis hash ', '') }
}

describe('genesis', () => {
  test('new: from key files and public keys, with parameters; hash says what new said', async () => {
    const { genesis, hash } = await withGenesis()
    const shown = await moloch(['genesis', 'hash', genesis])
    expect(shown).toEqual({ code: 0, out: hash, err: '' })
    const other = toHex(keyPairFromSeed(new Uint8Array(32).fill(8)).publicKey)
    const args = ['genesis', 'new', '--chain-id', 'x', '--validator', `a=${KEY}`, '--validator', `b=${other}`]
    const params = ['--param', 'block_interval_ms=250', '--timestamp', '2026-01-01T00:00:00Z', '--actor', other]
    const document = JSON.parse((await moloch([...args, ...params])).out)
    expect(document).toMatchObject({ chain_id: 'x', timestamp: Date.UTC(2026, 0, 1), actors: [other] })
    expect(document.params.block_interval_ms).toBe(250)
    expect(document.validators.map((v: { name: string }) => v.name)).toEqual(['a', 'b'])
  })

  test('new does not overwrite', async () => {
    const { genesis, key } = await withGenesis()
    const before = readFileSync(genesis, 'utf8')
    const again = await moloch(['genesis', 'new', '--chain-id', 'other', '--validator', `v=${key}`, '--out', genesis])
    expect(again.code).toBe(1)
    expect(again.err).toMatch(/EEXIST.*genesis\.json/)
    expect(readFileSync(genesis, 'utf8')).toBe(before)
  })
})

describe('init', () => {
  test('makes a home from a genesis file, with settings', async () => {
    const { dir, genesis, hash } = await withGenesis()
    const home = join(dir, 'home')
    const args = ['--genesis', genesis, '--genesis-hash', hash, '--home', home, '--set', 'api.port=0', '--json']
    const made = await moloch(['init', ...args])
    expect(made.code).toBe(0)
    const shown = JSON.parse(made.out)
    expect(shown).toMatchObject({ home, chain_id: 'cli', genesis_hash: hash, role: 'observer' })
    expect(toHex(openHome(home).genesis.hash)).toBe(hash)
    const config = await moloch(['config', 'show', '--home', home, '--origin', '--json'])
    expect(JSON.parse(config.out)['api.port']).toEqual({
      value: 0,
      origin: { kind: 'file', name: join(home, 'config.toml') }
    })
    const keys = await moloch(['keys', 'show', '--home', home, '--json'])
    expect(JSON.parse(keys.out)).toMatchObject({ peer_id: shown.peer_id, chain: shown.chain_key })
  })

  test("makes a validator's home from its key", async () => {
    const { dir, genesis, key } = await withGenesis()
    const home = join(dir, 'home')
    const made = await moloch(['init', '--genesis', genesis, '--home', home, '--validator-key', key, '--json'])
    expect(JSON.parse(made.out)).toMatchObject({ role: 'validator', chain_key: KEY })
    expect(openHome(home).validatorKey?.publicKey).toEqual(keyPairFromSeed(SEED).publicKey)
  })

  test.each([
    ['without a word', [], /SIGNER_MISSING.*adopt --new-key/s, /what this key has signed is not known here/],
    ['with --new-key', ['--new-key'], /sound/, /^made the home[^\n]*$/]
  ])('takes a validator key %s', async (_, options, shows, told) => {
    const { dir, genesis, key } = await withGenesis()
    const home = join(dir, 'home')
    const made = await moloch(['init', '--genesis', genesis, '--home', home, '--validator-key', key, ...options])
    expect(made.err.trim()).toMatch(told)
    const shown = await moloch(['signer', 'show', '--home', home])
    expect(shown.out).toMatch(shows)
    const adopted = await moloch(['signer', 'adopt', '--new-key', '--home', home])
    expect(adopted).toMatchObject({ code: 0, out: 'taken for a key that has never signed anything' })
  })

  test('makes the homes of a local chain', async () => {
    const dir = tempDir()
    const made = await moloch(['init', '--devnet', '3', '--home', join(dir, 'net'), '--json'])
    expect(made.code).toBe(0)
    const { homes } = JSON.parse(made.out) as { homes: string[] }
    expect(homes).toEqual([1, 2, 3].map((n) => join(dir, 'net', `validator-${n}`)))
    const opened = homes.map(openHome)
    expect(new Set(opened.map(({ genesis }) => toHex(genesis.hash))).size).toBe(1)
    expect(opened.every(({ validatorKey }) => validatorKey !== undefined)).toBe(true)
    expect(readdirSync(dir)).toEqual(['net'])
    // Nothing marks it as a devnet's directory, which the next devnet would empty.
    expect(readdirSync(join(dir, 'net'))).toEqual(['validator-1', 'validator-2', 'validator-3'])
    const taken = await moloch(['devnet', 'homes', '--dir', join(dir, 'net')])
    expect(taken).toMatchObject({ code: 1, err: expect.stringMatching(/is not empty/) })
  })
})

describe('keys', () => {
  test('new makes a key file that show reads, and never overwrites it', async () => {
    const path = join(tempDir(), 'deep', 'x.key')
    const made = await moloch(['keys', 'new', 'validator', '--out', path, '--json'])
    const { public_key } = JSON.parse(made.out)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(await moloch(['keys', 'show', path])).toMatchObject({ code: 0, out: `public_key  ${public_key}` })
    expect(made.out).not.toContain(readFileSync(path, 'utf8').trim())
    const again = await moloch(['keys', 'new', 'validator', '--out', path])
    expect(again).toMatchObject({ code: 1, err: expect.stringMatching(/never overwritten/) })
  })

  test('show never shows a secret', async () => {
    const { dir, genesis, key } = await withGenesis()
    const home = join(dir, 'home')
    await moloch(['init', '--genesis', genesis, '--home', home, '--validator-key', key])
    const shown = await moloch(['keys', 'show', '--home', home])
    for (const file of readdirSync(join(home, 'keys'))) {
      expect(shown.out).not.toContain(readFileSync(join(home, 'keys', file), 'utf8').trim())
    }
    expect(Object.keys(JSON.parse((await moloch(['keys', 'show', '--home', home, '--json'])).out))).toEqual([
      'peer_id',
      'validator',
      'actor'
    ])
  })
})

test('config show: a token is not shown, the environment is', async () => {
  const { dir, genesis } = await withGenesis()
  const home = join(dir, 'home')
  await moloch(['init', '--genesis', genesis, '--home', home, '--set', 'api.token=hunter2'])
  const env = { MOLOCH_LOG_LEVEL: 'debug', MOLOCH_HOME: home }
  const shown = await moloch(['config', 'show', '--origin'], { env })
  expect(shown.out).not.toContain('hunter2')
  expect(shown.out).toMatch(/api\.token +"\(set\)" +MOLOCH_API_TOKEN +file .*config\.toml/)
  expect(shown.out).toMatch(/log\.level +"debug" +MOLOCH_LOG_LEVEL +env MOLOCH_LOG_LEVEL/)
  expect(shown.out).toMatch(/p2p\.mdns +false +MOLOCH_P2P_MDNS +default/)
})

test('version', async () => {
  expect((await moloch(['version'])).out).toMatch(/^moloch \d+\.\d+\.\d+ \(node v/)
  expect(JSON.parse((await moloch(['version', '--json'])).out)).toMatchObject({ node: process.version })
})

describe('bad input: one line, its exit code, nothing written', () => {
  const NO_HASH = 'ab'.repeat(32)
  const cases: [string, string[], number, RegExp][] = [
    ['nothing', [], 64, /^Usage: moloch/],
    ['unknown command', ['strat'], 64, /unknown command 'strat'.*start/],
    ['unknown subcommand', ['event', 'sumbit'], 64, /unknown command 'sumbit'.*submit/],
    ['group alone', ['event'], 64, /^Usage: moloch event/],
    ['unknown option', ['start', '--log-levle', 'info'], 64, /unknown option '--log-levle'.*--log-level/],
    ['excess argument', ['status', 'now'], 64, /too many arguments/],
    ['option without its value', ['status', '--home'], 64, /--home <dir>.* argument missing/],
    ['bad flag value', ['start', '--home', '@home', '--api-port', 'x'], 64, /--api-port: "x" .*whole number/],
    ['bad environment', ['config', 'show', '--home', '@home', '@MOLOCH_API_PORT=x'], 1, /MOLOCH_API_PORT/],
    ['no home', ['start', '--home', '@dir/none'], 1, /no home at .*moloch init --home/],
    ['init: no source', ['init', '--home', '@dir/h'], 64, /one of --genesis FILE, --from URL and --devnet N/],
    ['init: two sources', ['init', '--home', '@dir/h', '--genesis', 'x', '--devnet', '2'], 64, /one of/],
    ['init: no such file', ['init', '--home', '@dir/h', '--genesis', '@dir/none'], 1, /cannot read genesis .*none/],
    ['init: malformed', ['init', '--home', '@dir/h', '--genesis', '@dir/v.key'], 1, /v\.key: .*not JSON/],
    [
      'init: other hash',
      ['init', '--home', '@dir/h', '--genesis', '@genesis', '--genesis-hash', NO_HASH],
      1,
      /hashes to [0-9a-f]{64}, not to abab/
    ],
    ['init: hash no hash', ['init', '--genesis', '@genesis', '--genesis-hash', 'x'], 64, /64 hex digits/],
    ['init: from without hash', ['init', '--home', '@dir/h', '--from', 'http://x'], 64, /needs --genesis-hash/],
    ['init: no URL', ['init', '--home', '@dir/h', '--from', 'x', '--genesis-hash', NO_HASH], 64, /"x" is no URL/],
    [
      'init: nobody there',
      ['init', '--home', '@dir/h', '--from', 'http://127.0.0.1:1', '--genesis-hash', NO_HASH],
      1,
      /no node answers at http:\/\/127\.0\.0\.1:1/
    ],
    ['init: home in use', ['init', '--home', '@home', '--genesis', '@genesis'], 1, /not empty; a new or empty/],
    ['init: home is a file', ['init', '--home', '@genesis', '--genesis', '@genesis'], 1, /is a file/],
    [
      'init: unknown setting',
      ['init', '--home', '@dir/h', '--genesis', '@genesis', '--set', 'api.prt=1'],
      1,
      /"api\.port"/
    ],
    [
      'init: bad setting',
      ['init', '--home', '@dir/h', '--genesis', '@genesis', '--set', 'api.port=x'],
      64,
      /api\.port: "x"/
    ],
    ['init: no setting', ['init', '--home', '@dir/h', '--genesis', '@genesis', '--set', 'api.port'], 64, /NAME=VALUE/],
    ['init: bad peer', ['init', '--home', '@dir/h', '--genesis', '@genesis', '--bootstrap', 'x'], 64, /multiaddrs/],
    [
      'init: key of no validator',
      ['init', '--home', '@dir/h', '--genesis', '@genesis', '--validator-key', '@stranger'],
      1,
      /none of the validators of cli: v/
    ],
    [
      'init: no key',
      ['init', '--home', '@dir/h', '--genesis', '@genesis', '--validator-key', '@dir/none'],
      1,
      /no key file/
    ],
    ['init: devnet too large', ['init', '--home', '@dir/h', '--devnet', '65'], 64, /from 1 to 64/],
    [
      'genesis: bad id',
      ['genesis', 'new', '--chain-id', 'A B', '--validator', `v=${KEY}`],
      1,
      /chain_id.*a-z, 0-9 and -/
    ],
    ['genesis: no validators', ['genesis', 'new', '--chain-id', 'x'], 64, /--validator/],
    [
      'genesis: one key twice',
      ['genesis', 'new', '--chain-id', 'x', '--validator', `a=${KEY}`, '--validator', `b=${KEY}`],
      1,
      /./
    ],
    ['genesis: no key', ['genesis', 'new', '--chain-id', 'x', '--validator', 'v'], 64, /NAME=VALUE/],
    [
      'genesis: bad parameter',
      ['genesis', 'new', '--chain-id', 'x', '--validator', `v=${KEY}`, '--param', 'x=1'],
      64,
      /block_interval_ms/
    ],
    [
      'genesis: bad value',
      ['genesis', 'new', '--chain-id', 'x', '--validator', `v=${KEY}`, '--param', 'max_block_bytes=1'],
      64,
      /from 4096/
    ],
    ['genesis hash: no genesis', ['genesis', 'hash', '@home/config.toml'], 1, /config\.toml: .*not JSON/],
    ['keys new: unknown', ['keys', 'new', 'sky'], 64, /sky.*peer, chain, validator, actor/],
    ['keys new: in a home there is one', ['keys', 'new', 'actor', '--home', '@home'], 1, /never overwritten/],
    ['keys new: no home', ['keys', 'new', 'actor', '--home', '@dir/none'], 1, /no home/],
    ['keys new: validator in a home', ['keys', 'new', 'validator', '--home', '@home'], 64, /--out FILE/],
    ['keys show: no key', ['keys', 'show', '@genesis'], 1, /only 0600 is accepted/],
    [
      'status: nobody there',
      ['status', '--url', 'http://127.0.0.1:1'],
      1,
      /no node answers at .*start one with: moloch start/
    ],
    ['status: no URL', ['status', '--url', 'localhost:8645'], 64, /http:\/\/HOST:PORT/],
    ['status: port 0', ['status', '--home', '@home', '@MOLOCH_API_PORT=0'], 64, /--url/],
    ['block: no block', ['block', 'get', 'first'], 64, /"first" is no block/],
    ['proof event: no id', ['proof', 'event', '12'], 64, /64 hex digits/],
    ['proof history: of nothing', ['proof', 'history'], 64, /one of --actor, --resource and --action/],
    ['proof history: of two', ['proof', 'history', '--action', 'a', '--resource', 'b:c'], 64, /one of --actor/],
    ['proof history: of a kind', ['proof', 'history', '--resource', 'account'], 64, /KIND:ID/],
    ['proof verify: no trust', ['proof', 'verify', '@genesis'], 64, /--trust/],
    ['proof verify: bad trust', ['proof', 'verify', '@genesis', '--trust', '7'], 64, /HEIGHT:HASH/],
    ['event get: no id', ['event', 'get', '12'], 64, /64 hex digits/],
    ['event list: no key', ['event', 'list', '--actor', 'me'], 64, /64 hex digits/],
    ['event list: no height', ['event', 'list', '--from', '-1'], 64, /--from/],
    ['event submit: nothing', ['event', 'submit', '--home', '@home'], 64, /--action and --resource KIND:ID/],
    ['event submit: no id', ['event', 'submit', '--action', 'a', '--resource', 'a'], 64, /--resource KIND:ID/],
    [
      'event submit: outcome',
      ['event', 'submit', '--outcome', 'MAYBE'],
      64,
      /MAYBE.*SUCCESS, FAILURE, DENIED, PENDING/
    ],
    ...['noon', '2026', '2026-01-31', '2026-01-31T12:00:00', '1767323045000', 'ticket 5'].map(
      (time): [string, string[], number, RegExp] => [
        `event submit: time ${time}`,
        ['event', 'submit', '--occurred-at', time],
        64,
        new RegExp(`'${time}' is invalid.* with its zone`)
      ]
    ),
    ['event submit: two actions', ['event', 'submit', '--action', 'a', '--action', 'b'], 64, /--action.* given twice/],
    [
      'event submit: two outcomes',
      ['event', 'submit', '--outcome', 'DENIED', '--outcome', 'DENIED'],
      64,
      /given twice/
    ],
    [
      'event submit: meta twice',
      ['event', 'submit', '--meta', 'a=1', '--meta', 'a=2'],
      64,
      /--meta.* a is given twice/
    ],
    ['event submit: outcome with a file', ['event', 'submit', '--file', '-', '--outcome', 'DENIED'], 64, /says all/],
    ['event submit: Latin-1', ['event', 'submit', '--meta', 'a=caf\ufffd'], 64, /argument 4, "a=caf.", is not UTF-8/],
    ['genesis new: time', ['genesis', 'new', '--timestamp', '5'], 64, /'5' is invalid.* with its zone/],
    ['event submit: both', ['event', 'submit', '--file', 'x', '--action', 'a'], 64, /--file says all/],
    [
      'event submit: bounds',
      ['event', 'submit', '--home', '@home', '--action', 'A B', '--resource', 'k:i'],
      1,
      /action is "A B"/
    ],
    [
      'event submit: no key',
      ['event', 'submit', '--key', '@dir/none', '--action', 'a', '--resource', 'k:i'],
      1,
      /no key file/
    ],
    [
      'event submit: no file',
      ['event', 'submit', '--home', '@home', '--file', '@dir/none'],
      1,
      /none is not a file; JSON lines/
    ],
    [
      'event submit: not JSON',
      ['event', 'submit', '--home', '@home', '--file', '@genesis'],
      1,
      /genesis\.json line 1: not JSON/
    ],
    ['event submit: empty', ['event', 'submit', '--home', '@home', '--file', '-'], 1, /standard input has no events/],
    ['db verify: no home', ['db', 'verify', '--home', '@dir/none'], 1, /no home at/],
    ['db verify: no database', ['db', 'verify', '--home', '@home'], 1, /data\/chain/]
  ]
  test.each(cases)('%s', async (_, args, code, pattern) => {
    const { dir, genesis } = await withGenesis()
    const home = join(dir, 'home')
    await moloch(['init', '--genesis', genesis, '--home', home])
    const stranger = join(dir, 'stranger.key')
    createKeyFile(stranger, new Uint8Array(32))
    const before = tree(dir)
    const env: Record<string, string> = {}
    const filled = args
      .map((arg) =>
        arg.replace('@dir', dir).replace('@home', home).replace('@genesis', genesis).replace('@stranger', stranger)
      )
      .filter((arg) => {
        const [, name, value] = /^@(MOLOCH_\w+)=(.*)$/.exec(arg) ?? []
        if (name !== undefined) env[name] = value ?? ''
        return name === undefined
      })
    const ran = await moloch(filled, { env })
    expect(ran.err).toMatch(pattern)
    expect(ran.code).toBe(code)
    expect(ran.out).toBe('')
    if (!ran.err.startsWith('Usage')) {
      expect(ran.err).toMatch(/^moloch: /)
      expect(ran.err).not.toContain('\n')
    }
    expect(tree(dir)).toEqual(before)
  })

  test('a home with a malformed config.toml, key or genesis', async () => {
    const { dir, genesis } = await withGenesis()
    const spoil = async (file: string, text: string) => {
      const home = join(dir, `home-${file.replaceAll('/', '-')}`)
      await moloch(['init', '--genesis', genesis, '--home', home])
      writeFileSync(join(home, file), text)
      return moloch([
        'start',
        '--home',
        home,
        '--p2p-listen',
        '/ip4/127.0.0.1/tcp/0',
        '--api-port',
        '0',
        '--log-level',
        'silent'
      ])
    }
    for (const [file, text, pattern] of [
      ['config.toml', '[api\n', /config\.toml:1:\d+: .*TOML/],
      ['keys/peer.key', 'secret', /peer\.key is malformed/],
      ['keys/chain.key', 'secret', /chain\.key is malformed/],
      ['genesis.json', '{}', /genesis\.json: .*chain_id/]
    ] as const) {
      const ran = await spoil(file, text)
      expect(ran).toMatchObject({ code: 1, out: '' })
      expect(ran.err).toMatch(pattern)
      expect(ran.err).not.toContain('secret')
      expect(ran.err.split('\n')).toHaveLength(1)
    }
  })
})

describe('--help', () => {
  test.each([
    'init',
    'start',
    'status',
    'peers',
    'peers list',
    'peers add',
    'peers ban',
    'peers unban',
    'event submit',
    'event get',
    'event list',
    'block get',
    'checkpoint show',
    'snapshot create',
    'snapshot list',
    'snapshot export',
    'snapshot import',
    'proof event',
    'proof history',
    'proof verify',
    'keys new',
    'keys show',
    'genesis new',
    'genesis hash',
    'gossip watch',
    'gossip record',
    'gossip stats',
    'db verify',
    'config show',
    'version',
    'devnet'
  ])('%s has an example', async (command) => {
    const ran = await moloch([...command.split(' '), '--help'])
    expect(ran.code).toBe(0)
    expect(ran.out).toMatch(/\nExamples?:\n +(\$ )?moloch /)
    expect(ran.out).toContain('--help')
  })
})

function tree(dir: string): string[] {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort()
  return names.map((name) => {
    const status = statSync(join(dir, name))
    return `${name} ${status.mode} ${status.isFile() ? `${status.size} ${status.mtimeMs}` : ''}`
  })
}

test('an empty directory that is there is made a home', async () => {
  const { dir, genesis } = await withGenesis()
  const home = join(dir, 'mounted')
  mkdirSync(home)
  expect((await moloch(['init', '--genesis', genesis, '--home', home])).code).toBe(0)
  expect(existsSync(join(home, 'genesis.json'))).toBe(true)
})
