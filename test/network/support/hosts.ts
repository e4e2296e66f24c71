import '../../../src/polyfill.ts'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { gossipsub } from '@libp2p/gossipsub'
import type { Connection } from '@libp2p/interface'
import { dnsaddrResolver } from 'libp2p'
import { afterEach } from 'vitest'
import { createHost, type Host } from '../../../src/network/libp2p.ts'
import { DEFAULT_SETTINGS, DEVNET_SETTINGS } from '../../../src/network/settings.ts'
import { pause } from '../../support/until.ts'

export { until } from '../../support/until.ts'

const started: { stop(): unknown }[] = []

/** Stops it after the test, last started first. */
export function stopLater<T extends { stop(): unknown }>(it: T): T {
  started.push(it)
  return it
}

afterEach(async () => {
  for (const it of started.splice(0).reverse()) await it.stop()
})

/** A bare libp2p node as ours is built, on 127.0.0.1 with a free port. */
export async function host(pubsub = gossipsub()): Promise<Host> {
  const made = await createHost({
    privateKey: await generateKeyPair('Ed25519'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    onFound: undefined,
    userAgent: 'test',
    gater: {},
    resolver: dnsaddrResolver,
    muxer: yamux({ streamOptions: { maxStreamWindowSize: 2 << 20, maxReadBufferLength: 4 << 20 } }),
    pubsub,
    settings: { ...DEFAULT_SETTINGS, ...DEVNET_SETTINGS }
  })
  await made.start()
  return stopLater(made)
}

export interface Pair {
  readonly client: Host
  readonly server: Host
  /** As the client has it. */
  readonly connection: Connection
}

export async function pair(): Promise<Pair> {
  const [client, server] = [await host(), await host()]
  return { client, server, connection: await client.dial(server.getMultiaddrs()) }
}

/** Waits until the value has been the same for `ms`. @returns it */
export async function settled(value: () => number, ms = 300): Promise<number> {
  let last = value()
  let since = performance.now()
  while (performance.now() - since < ms) {
    await pause(10)
    if (value() === last) continue
    last = value()
    since = performance.now()
  }
  return last
}
