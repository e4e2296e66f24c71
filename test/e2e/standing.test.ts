/** Chains that stand, and clocks that are wrong, on real nodes: they say so, and blocks go on when the reason is gone. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StatusJson } from '../../src/api/schemas.ts'
import { Outcome, signEvent } from '../../src/chain/event.ts'
import { fromHex } from '../../src/codec/bytes.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import type { Devnet } from '../../src/devnet/devnet.ts'
import { MolochError } from '../../src/error.ts'
import { eventually, heightOf, moloch, network, project, reaches } from './support.ts'

const VALIDATORS = ['validator-1', 'validator-2', 'validator-3', 'validator-4']
const [first, second, third, fourth] = VALIDATORS as [string, string, string, string]
const HOUR_MS = 3_600_000
const options = process.env.NODE_OPTIONS

beforeAll(() => {
  process.env.NODE_OPTIONS = `--import=${join(project, 'test/e2e/shifted-clock.mjs')}`
})
afterAll(() => {
  process.env.NODE_OPTIONS = options ?? ''
})

function setClocks(devnet: Devnet, offsetMs: number, names: readonly string[] = VALIDATORS): void {
  for (const name of names) writeFileSync(join(devnet.node(name).home, 'clock-offset'), String(offsetMs))
}

async function status(devnet: Devnet, name: string): Promise<StatusJson> {
  return (await devnet.node(name).api.get('/v1/status')) as StatusJson
}

/** The problem that `/health/ready` answers with; undefined: it is ready. */
async function unready(devnet: Devnet, name: string): Promise<{ code: string; detail: string } | undefined> {
  const response = await fetch(`${devnet.node(name).api.url}/health/ready`)
  return response.status === 200 ? undefined : ((await response.json()) as { code: string; detail: string })
}

/** POSTs an event with that timestamp. @returns its status, or the refusal */
async function submit(
  devnet: Devnet,
  name: string,
  timestamp: number
): Promise<{ status?: string; code?: string; detail?: string }> {
  const { api } = devnet.node(name)
  const { genesis_hash } = await api.status()
  const event = signEvent(fromHex(genesis_hash, 32) as Uint8Array, keyPairFromSeed(new Uint8Array(32).fill(9)), {
    timestamp,
    action: 'test',
    resource: { kind: 'clock', id: String(timestamp) },
    outcome: Outcome.SUCCESS,
    metadata: []
  })
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  const body = {
    actor: hex(event.actor),
    signature: hex(event.signature),
    body: Buffer.from(event.body).toString('base64')
  }
  try {
    return (await api.post('/v1/events', body)) as { status: string }
  } catch (error) {
    if (!(error instanceof MolochError)) throw error
    return error.details as { code: string; detail: string }
  }
}

describe('four validators', () => {
  test('all an hour ahead and then right go on within seconds; what no block can take is refused until then', async () => {
    const devnet = await network({ late: false, nodes: 1 })
    await devnet.start()
    const all = [...VALIDATORS, 'node-1']
    await reaches(devnet, all, 2, 60_000)
    setClocks(devnet, HOUR_MS)
    const ahead = async (): Promise<boolean> =>
      (await status(devnet, first)).finalized.timestamp > Date.now() + HOUR_MS / 2
    await eventually('chain time to be ahead', ahead, 60_000)
    setClocks(devnet, 0)
    const height = await heightOf(devnet, first)
    await reaches(devnet, all, height + 5, 60_000)
    expect(await ahead()).toBe(true)
    for (const name of all) {
      expect(await submit(devnet, name, Date.now())).toMatchObject({
        code: 'EVENT_OUTSIDE_WINDOW',
        detail: expect.stringMatching(/chain time is .* ms ahead of now, events of .* and later are taken/)
      })
    }
  })

  test('of which one has a wrong clock go on, and all name it, itself too', async () => {
    const devnet = await network({ late: false, nodes: 0 })
    setClocks(devnet, HOUR_MS, [third])
    await devnet.start()
    await reaches(devnet, VALIDATORS, 6, 60_000)
    for (const name of [first, second, fourth]) {
      await eventually(
        `${name} to name ${third}`,
        async () => {
          const faults = (await status(devnet, name)).clock?.faults ?? []
          return faults.length === 1 && faults[0]?.startsWith(`the clock of ${third} is 36`) === true
        },
        60_000
      )
    }
    await eventually(
      `${third} to name its own clock`,
      async () => {
        const faults = (await status(devnet, third)).clock?.faults ?? []
        return faults.includes("this node's clock is 3600 s ahead of the median of the validators'")
      },
      60_000
    )
    // It takes what its callers with right clocks sign, and refuses what nobody takes for an hour.
    expect(await submit(devnet, third, Date.now())).toMatchObject({ status: 'pending' })
    expect(await submit(devnet, third, Date.now() + HOUR_MS)).toMatchObject({ code: 'EVENT_OUTSIDE_WINDOW' })
    expect(await unready(devnet, third)).toBeUndefined()
    setClocks(devnet, 0)
    await eventually(
      'all clocks to be right',
      async () => {
        const all = await Promise.all(VALIDATORS.map((name) => status(devnet, name)))
        return all.every(({ clock }) => clock?.faults.length === 0 && Math.abs(clock.ahead_ms ?? HOUR_MS) < 2000)
      },
      60_000
    )
  })

  test('of which two are down are not ready, say who is missing, and are not called up to date', async () => {
    const devnet = await network({ late: false, nodes: 0, light: 1 })
    await devnet.start()
    await reaches(devnet, [...VALIDATORS, 'light-1'], 2, 60_000)
    await devnet.kill(third)
    await devnet.kill(fourth)
    for (const name of [first, second]) {
      await eventually(
        `${name} to be unready`,
        async () => (await unready(devnet, name))?.code === 'CHAIN_STANDS',
        60_000
      )
      const missing = `waits for validators: 2 of 3 needed are here; missing: ${third} (not connected), ${fourth} (not connected)`
      expect((await unready(devnet, name))?.detail).toContain(missing)
      const { waiting, sync } = await status(devnet, name)
      expect(waiting).toMatchObject({ code: 'VALIDATORS', message: missing })
      expect(waiting?.standing_seconds).toBeGreaterThan(0)
      const { stdout } = await moloch('status', '--url', devnet.node(name).api.url)
      expect(stdout).toMatch(new RegExp(`^sync +at ${sync.height}, where the chain stands$`, 'm'))
      expect(stdout).not.toContain('up to date')
      expect(devnet.log(name)).toContain(missing)
    }
    await eventually(
      'the light node to be unready',
      async () => (await unready(devnet, 'light-1'))?.code === 'CHAIN_STANDS',
      60_000
    )
    const height = await heightOf(devnet, first)
    await devnet.start([third, fourth])
    await reaches(devnet, [...VALIDATORS, 'light-1'], height + 2, 60_000)
    for (const name of [first, 'light-1']) {
      await eventually(`${name} to be ready`, async () => (await unready(devnet, name)) === undefined, 60_000)
      expect(devnet.log(name)).toContain('blocks go on')
    }
  })

  test('before their genesis’s time are not ready and begin when it comes', async () => {
    const devnet = await network({ late: false, nodes: 1 })
    const all = [...VALIDATORS, 'node-1']
    setClocks(devnet, -HOUR_MS, all)
    devnet.spawn(all)
    for (const name of all) {
      await eventually(
        `${name} to say what it waits for`,
        async () => {
          const { code = '', detail = '' } = (await unready(devnet, name)) ?? {}
          return code === 'CHAIN_STANDS' && detail.includes("waits for the genesis's time, 20")
        },
        60_000
      )
    }
    expect((await status(devnet, first)).abstains).toMatch("signs nothing before the genesis's time")
    expect(await submit(devnet, first, Date.now() - HOUR_MS)).toMatchObject({ code: 'EVENT_OUTSIDE_WINDOW' })
    expect(await heightOf(devnet, first)).toBe(0)
    setClocks(devnet, 0, all)
    await reaches(devnet, all, 2, 60_000)
    const { timestamp } = (await status(devnet, first)).finalized
    expect(Math.abs(timestamp - Date.now())).toBeLessThan(HOUR_MS / 2)
  })
})
