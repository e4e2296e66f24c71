import { BlockList } from 'node:net'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { messageOf } from '../error.ts'
import { networkError } from './errors.ts'

/** libp2p's words for a connection, of either direction, whose other end has our own peer id. */
export const REACHED_SELF = 'Can not dial self'

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
 * The networks that an address is in, from the widest to the host. Of IPv6 a host is a /64: nobody is given less.
 * Of a name nothing is known but itself.
 */
export function networksOf(address: Multiaddr): string[] {
  const { name, value = '' } = address.getComponents()[0] ?? {}
  const mapped = name === 'ip6' ? mappedIp4(value) : undefined
  if (name === 'ip4' || mapped !== undefined) return prefixes((mapped ?? value).split('.'), '.', [2, 3, 4])
  if (name === 'ip6') return prefixes(groupsOf(value), ':', [2, 3, 4])
  return [value, value, value]
}

function prefixes(parts: readonly string[], separator: string, lengths: readonly number[]): string[] {
  return lengths.map((length) => parts.slice(0, length).join(separator))
}

/** An IPv4 address in IPv6's clothes, as sockets that listen for both have it. */
function mappedIp4(ip: string): string | undefined {
  const groups = groupsOf(ip)
  if (!groups.slice(0, 5).every((group) => group === '0') || groups[5] !== 'ffff') return undefined
  return groups
    .slice(6)
    .flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255])
    .join('.')
}

/** The eight groups of an IPv6 address, in their shortest form. */
function groupsOf(ip: string): string[] {
  const host = new URL(`http://[${ip}]/`).hostname.slice(1, -1)
  const [head = '', tail] = host.split('::')
  const [before, after] = [head, tail ?? ''].map((part) => (part === '' ? [] : part.split(':'))) as [string[], string[]]
  return [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
}

/** Of one peer: an honest one listens on one or two ports. */
const MAX_CLAIMED_ADDRESSES = 8

/**
 * Of the listen addresses that a peer claims, those worth keeping: where its connection comes from, at another port. What
 * else it says may be anybody's: a peer must not make us dial whom it names.
 */
export function dialable(claimed: Iterable<Multiaddr>, remote: Multiaddr, peerId: string): string[] {
  const ip = ipOf(remote)
  if (ip === undefined) return []
  const same = [...claimed].filter((address) => ipOf(address) === ip)
  return same.slice(0, MAX_CLAIMED_ADDRESSES).map((address) => withPeerId(address, peerId))
}

/** Of one peer on the local network: an honest one has one for each of its interfaces. */
const MAX_LOCAL_ADDRESSES = 8

const LOCAL = new BlockList()
for (const [net, bits] of [
  ['10.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16]
] as const) {
  LOCAL.addSubnet(net, bits, 'ipv4')
}
LOCAL.addAddress('::1', 'ipv6')
LOCAL.addSubnet('fc00::', 7, 'ipv6')
LOCAL.addSubnet('fe80::', 10, 'ipv6')

/**
 * Of the addresses that somebody on the local network says a peer has, those that can be on it: it must not make us dial
 * the rest of the world.
 */
export function localOnly(claimed: Iterable<Multiaddr>, peerId: string): string[] {
  const local = [...claimed].filter((address) => {
    const ip = address.getComponents()[0]
    if (ip?.value === undefined || (ip.name !== 'ip4' && ip.name !== 'ip6')) return false
    return LOCAL.check(ip.value, ip.name === 'ip4' ? 'ipv4' : 'ipv6')
  })
  return local.slice(0, MAX_LOCAL_ADDRESSES).map((address) => withPeerId(address, peerId))
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
