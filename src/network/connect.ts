import { CODE_P2P } from '@multiformats/multiaddr'
import { messageOf } from '../error.ts'
import { parseAddress, REACHED_SELF } from './addresses.ts'
import { DIAL_SELF } from './dialer.ts'
import { networkError } from './errors.ts'
import type { Host } from './libp2p.ts'
import { causes } from './listen-failure.ts'
import { NEW_PEER_KEY } from './own-key.ts'
import type { Parts } from './parts.ts'

/**
 * Dials an address that we have chosen.
 * @param known the peer that is expected there
 * @returns who answered
 * @throws MolochError DIAL_FAILED; KEY_IN_USE if it was another process with our own peer key
 */
export async function connect(host: Host, parts: Parts, address: string, known: string | undefined): Promise<string> {
  const { sessions, settings, sockets, dialGate } = parts
  const isSelf = known === parts.peerId
  // libp2p would not dial it at all, and a copy of this node's key that is there would not be noticed.
  const target = isSelf ? parseAddress(address).decapsulateCode(CODE_P2P) : parseAddress(address)
  const deadline = new AbortController()
  const { dialMs } = settings
  const timer = setTimeout(() => deadline.abort(new Error(`no connection within ${dialMs} ms`)), dialMs)
  if (known !== undefined && !isSelf) sessions.dialing(known, address)
  const { entered } = sockets
  try {
    const connection = await dialGate.choose(target, () => host.dial(target, { signal: deadline.signal }))
    return connection.remotePeer.toString()
  } catch (error) {
    const why = deadline.signal.aborted ? messageOf(deadline.signal.reason) : causes(error)
    if (why.includes(REACHED_SELF) || why.includes(parts.peerId)) answeredAsOurselves(parts, address, entered)
    throw networkError('DIAL_FAILED', isSelf ? DIAL_SELF : why, { address }, error)
  } finally {
    clearTimeout(timer)
    if (known !== undefined) sessions.dialFailed(known)
  }
}

/**
 * Whoever answered has our key. If that is this process itself, by whatever way (its own address, one that another program
 * forwards), the same connection has come in here.
 * @param entered how many sockets had come in before
 */
function answeredAsOurselves({ sockets, ownKey }: Parts, address: string, entered: number): void {
  if (sockets.anyInVainSince(entered)) {
    ownKey.metItself()
    return
  }
  ownKey.met(address)
  throw networkError('KEY_IN_USE', `who answers there has this node's peer key; ${NEW_PEER_KEY}`, { address })
}
