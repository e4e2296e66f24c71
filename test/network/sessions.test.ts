import type { Connection } from '@libp2p/interface'
import { afterEach, describe, expect, it } from 'vitest'
import { PeerSessions } from '../../src/network/sessions.ts'
import { DEFAULT_SETTINGS } from '../../src/network/settings.ts'
import { LogBook } from './support/nodes.ts'

/** What sessions look at of a connection. */
function connection(peer: string, direction: 'inbound' | 'outbound'): Connection {
  const made = {
    remotePeer: peer,
    remoteAddr: `/to/${peer}`,
    direction,
    status: 'open',
    close: async () => {},
    abort: () => {}
  }
  return made as unknown as Connection
}

describe('sessions', () => {
  const sessions = new PeerSessions({
    settings: { ...DEFAULT_SETTINGS, maxHandshaking: 2 },
    log: new LogBook(),
    standing: () => ({ score: 0, gossip: { accepted: 0, useless: 0, dropped: 0 }, points: 0, fault: undefined })
  })
  afterEach(() => sessions.stop())

  it('peers that come and have not passed hello are bounded, whatever we dial ourselves', () => {
    const states = (direction: 'inbound' | 'outbound', names: string[]) =>
      names.map((name) => sessions.connected(connection(name, direction)).session.state)
    expect(states('outbound', ['a', 'b', 'c', 'd'])).toEqual(Array(4).fill('HANDSHAKING'))
    expect(states('inbound', ['e', 'f', 'g'])).toEqual(['HANDSHAKING', 'HANDSHAKING', 'CLOSED'])
    expect(states('outbound', ['h'])).toEqual(['HANDSHAKING'])
  })
})
