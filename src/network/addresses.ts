import { peerIdFromString } from '@libp2p/peer-id'
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

export function ipOf(address: Multiaddr): string | undefined {
  return address.getComponents().find(({ name }) => name === 'ip4' || name === 'ip6')?.value
}

/**
 * Of the listen addresses that a peer claims, those worth keeping: where its connection comes from, at another port. What
 * else it says may be anybody's: a peer must not make us dial whom it names.
 */
export function dialable(claimed: Iterable<Multiaddr>, remote: Multiaddr, peerId: string): string[] {
  const ip = ipOf(remote)
  if (ip === undefined) return []
  return [...claimed].filter((address) => ipOf(address) === ip).map((address) => withPeerId(address, peerId))
}

/** @returns the id as everything here has it @throws MolochError BAD_PEER_ID, one line that says what would be accepted */
export function assertPeerId(peerId: string, own: string): string {
  const accepted = 'a peer id such as 12D3KooW…, as `moloch peers` lists them'
  let id: string
  try {
    // There is a form as CID too.
    id = peerIdFromString(peerId).toString()
  } catch {
    throw networkError('BAD_PEER_ID', `${peerId} is no peer id; accepted: ${accepted}`, { peerId })
  }
  if (id !== own) return id
  throw networkError('BAD_PEER_ID', `${peerId} is this node itself; accepted: ${accepted}`, { peerId })
}
