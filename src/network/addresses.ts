import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { messageOf } from '../error.ts'
import { networkError } from './errors.ts'

/** @throws MolochError BAD_ADDRESS, one line that says what would be accepted */
export function parseAddress(address: string): Multiaddr {
  try {
    return multiaddr(address)
  } catch (error) {
    const accepted = 'a multiaddr such as /ip4/127.0.0.1/tcp/9645 or /dns4/name/tcp/9645/p2p/…'
    throw networkError('BAD_ADDRESS', `${address} is no address (${messageOf(error)}); accepted: ${accepted}`, {
      address
    })
  }
}

/** The peer id that the address ends in. */
export function peerIdIn(address: Multiaddr): string | undefined {
  return address.getComponents().findLast(({ name }) => name === 'p2p')?.value
}

export function withPeerId(address: Multiaddr, peerId: string): string {
  return peerIdIn(address) === undefined ? `${address.toString()}/p2p/${peerId}` : address.toString()
}
