import '../../src/polyfill.ts'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { signEvent } from '../../src/chain/event.ts'
import { createGenesis } from '../../src/chain/genesis.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { Outcome } from '../../src/codec/generated/event.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { defaultConfig } from '../../src/node/config/load.ts'
import { createHome } from '../../src/node/create-home.ts'
import { homePaths } from '../../src/node/home.ts'
import { startNode } from '../../src/node/node.ts'
import { tempDir } from '../support/temp-dir.ts'
import { moloch } from './support/run.ts'

const key = keyPairFromSeed(new Uint8Array(32).fill(5))

test('expired events are shown, and their lines are good to be submitted again', async () => {
  const home = join(tempDir(), 'home')
  const settings = { 'p2p.listen': ['/ip4/127.0.0.1/tcp/0'], 'api.port': 0 }
  const genesis = createGenesis({
    chainId: 'expired',
    timestamp: Date.now(),
    validators: [{ name: 'only', publicKey: key.publicKey }],
    params: { blockIntervalMs: 50, emptyBlockIntervalMs: 200 }
  })
  await createHome({ home, genesis, settings, seeds: { validator: new Uint8Array(32).fill(5) }, isNewKey: true })
  const expired = [1, 2, 3].map((n) =>
    signEvent(genesis.hash, key, {
      timestamp: n,
      action: 'login',
      resource: { kind: 'account', id: `a:${n}` },
      outcome: Outcome.DENIED,
      actorName: n === 1 ? undefined : 'ann',
      metadata: [
        { key: '10', value: 'x' },
        { key: '9', value: '{"y":1}' }
      ]
    })
  )
  const ledger = await Ledger.open({ path: homePaths(home).chain, genesis, log: silentLog })
  await ledger.saveMempool(expired)
  await ledger.expireMempool(expired)
  await ledger.close()
  const node = await startNode(defaultConfig(home, settings), silentLog)
  onTestFinished(() => node.stop())
  const env = { MOLOCH_URL: node.apiUrl, MOLOCH_HOME: home }

  const got = await moloch(['event', 'get', toHex(expired[0]?.id as Uint8Array)], { env })
  expect(got.out).toMatch(/^status +expired: /m)
  const first = await moloch(['event', 'list', '--expired', '--limit', '2'], { env })
  expect(first).toMatchObject({ code: 0, err: expect.stringMatching(/^more: --cursor \d+$/) })
  const all = await moloch(['event', 'list', '--expired'], { env })
  expect(all.out.startsWith(first.out)).toBe(true)

  const passed = await moloch(['event', 'list', '--passed'], { env })
  expect(passed).toMatchObject({ code: 0, out: '', err: 'no events whose fate is not known' })
  const both = await moloch(['event', 'list', '--passed', '--expired'], { env })
  expect(both).toMatchObject({ code: 64, err: expect.stringMatching('--expired and --passed do not go together') })

  const again = await moloch(['event', 'submit', '--file', '-', '--wait'], { env, stdin: all.out })
  expect(again).toMatchObject({ code: 0, err: '' })
  const list = await moloch(['event', 'list', '--action', 'login', '--json'], { env })
  const { events } = JSON.parse(list.out)
  const asSigned = (n: number) => ({
    resource: { kind: 'account', id: `a:${n}` },
    outcome: 'DENIED',
    occurred_at: n,
    metadata: [
      { key: '10', value: 'x' },
      { key: '9', value: '{"y":1}' }
    ]
  })
  const byTime = events.toSorted(
    (a: { occurred_at: number }, b: { occurred_at: number }) => a.occurred_at - b.occurred_at
  )
  expect(byTime).toMatchObject([1, 2, 3].map(asSigned))
  expect(byTime.map((event: { actor_name?: string }) => event.actor_name)).toEqual([undefined, 'ann', 'ann'])
})
