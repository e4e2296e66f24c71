import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, it } from 'vitest'
import { GOSSIP_PARAMS } from '../../src/network/gossip-params.ts'
import type { Host } from '../../src/network/libp2p.ts'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import { node } from './support/nodes.ts'

const document = readFileSync(new URL('../../docs/architecture.md', import.meta.url), 'utf8')
const section = document.split(/^## /m).find((one) => one.startsWith('What libp2p')) ?? ''

/** Names in the first column. */
const chosen = new Set(
  [...section.matchAll(/^\| ([^|]*) \|/gm)].flatMap(([, cell]) =>
    [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name)
  )
)

/** What libp2p always has, and lets nobody choose. */
const PLUMBING = [
  'peerId',
  'privateKey',
  'nodeInfo',
  'logger',
  'events',
  'connection-encryption-0',
  'stream-muxers-0',
  'transport-0',
  'upgrader',
  'transportManager',
  'registrar',
  'pubsub'
]

describe('what libp2p and gossipsub bring along', () => {
  let host: Host
  beforeEach(async () => {
    const started = await node()
    host = (started.network as Libp2pNetwork).host as Host
  })

  it('each option of gossipsub is a choice that the documentation has', () => {
    const { opts } = host.services.pubsub as unknown as { opts: Record<string, unknown> }
    expect(Object.keys(opts).filter((name) => !chosen.has(name))).toEqual([])
    for (const [name, value] of Object.entries(GOSSIP_PARAMS)) expect([name, opts[name]]).toEqual([name, value])
    expect(opts).toMatchObject({ doPX: false, scoreThresholds: { acceptPXThreshold: Number.POSITIVE_INFINITY } })
  })

  it('each part of libp2p is too', () => {
    const { components } = (host as unknown as { components: { components: Record<string, unknown> } }).components
    const parts = Object.keys(components).filter((name) => name !== '_started' && components[name] !== undefined)
    expect(parts.filter((name) => !PLUMBING.includes(name) && !chosen.has(name))).toEqual([])
  })

  it('nothing is served but identify, gossip and the chain’s own protocols', () => {
    const others = host.getProtocols().filter((one) => !one.startsWith('/moloch/'))
    expect(others).toEqual(['/ipfs/id/1.0.0', '/meshsub/1.0.0', '/meshsub/1.1.0', '/meshsub/1.2.0'])
  })
})
