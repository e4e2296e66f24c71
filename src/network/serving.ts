import type { Connection } from '@libp2p/interface'
import { messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { quietLog } from '../quiet-log.ts'
import type { Handshake } from './handshake.ts'
import type { Host } from './libp2p.ts'
import { Quotas } from './limits.ts'
import { loopLoad } from './loop-load.ts'
import { ServingBudget } from './serving-budget.ts'
import type { PeerSessions } from './sessions.ts'
import type { NetworkSettings, ProtocolName } from './settings.ts'
import type { StatusExchange } from './status-exchange.ts'
import { serveBlocks } from './streams/blocks.ts'
import { budgeted } from './streams/budgeted.ts'
import type { Frame } from './streams/frames.ts'
import { GOODBYE_PROTOCOL, readGoodbye } from './streams/goodbye.ts'
import { serveHeaders } from './streams/headers.ts'
import { HELLO_PROTOCOL } from './streams/hello.ts'
import { MAX_SMALL_REQUEST_BYTES, MAX_STATUS_BYTES, MAX_VOTES_REQUEST_BYTES } from './streams/messages.ts'
import { serveProof } from './streams/proof.ts'
import { refusal } from './streams/refusal.ts'
import { type Admitted, type Asker, type Handler, serve } from './streams/server.ts'
import { serveSnapshot } from './streams/snapshot.ts'
import { serveVotes } from './streams/votes.ts'
import { protocolId } from './topics.ts'
import type { GoodbyeName, NetworkPorts } from './types.ts'

/**
 * Streams of one protocol and connection before libp2p itself resets new ones. Above our own limits, so that a peer
 * that asks too much is told so in a frame.
 */
const MAX_PROTOCOL_STREAMS = 64

/** A slow uplink is cut into frames so that each answer has one a few times while its client still waits for it. */
const FRAMES_PER_SECOND = 4

export interface ServingOptions {
  readonly settings: NetworkSettings
  readonly maxFrameBytes: number
  readonly scope: string
  readonly ports: NetworkPorts
  readonly handshake: Handshake
  readonly status: StatusExchange
  readonly sessions: PeerSessions
  /** Whether the peer is held out: its connection may be there for a moment yet. */
  readonly isHeld: (peerId: string) => boolean
  /** Whether the peer has proven to be a validator. */
  readonly isValidator: (peerId: string) => boolean
  /** A peer goes on asking for what it is refused. */
  readonly onFlood: (peerId: string, message: string) => void
  readonly onGoodbye: (peerId: string, reason: GoodbyeName, message: string) => void
  readonly log: Log
}

/** Registers all that this node answers. */
export async function serveProtocols(host: Host, options: ServingOptions): Promise<void> {
  const { settings, scope, ports, maxFrameBytes } = options
  const now = (): number => performance.now()
  // What goes wrong here goes wrong as often as somebody asks.
  const quiet = quietLog(options.log, { monotonic: now })
  const quotas = new Quotas<ProtocolName>(settings.quotas, now)
  const frameBytes = Math.min(
    settings.blocksFrameBytes,
    maxFrameBytes,
    settings.serveBytesPerSecond / FRAMES_PER_SECOND
  )
  const budget = new ServingBudget({
    maxAnswers: Math.max(1, Math.min(settings.serveAnswers, settings.serveBytesPerSecond / frameBytes)),
    bytes: { burst: settings.serveBytesPerSecond, perSecond: settings.serveBytesPerSecond },
    load: loopLoad(),
    now
  })

  /** Before Hello only hello and goodbye may be said on a connection. */
  const admit = (name: ProtocolName, connection: Connection): Admitted => {
    const peerId = connection.remotePeer.toString()
    if (options.isHeld(peerId)) return { refused: refusal('NOT_READY', 'this node has ended the session') }
    const free = name === 'hello' || name === 'goodbye'
    if (!free && !options.sessions.passedOn(connection)) {
      return { refused: refusal('NOT_READY', 'say hello first', settings.openMs) }
    }
    const entry = quotas.enter(peerId, name)
    if (!entry.ok) {
      if (entry.flood) options.onFlood(peerId, `${name} requests go on although each answer says when to come back`)
      return { refused: refusal('RATE_LIMITED', `too much of ${name}`, entry.retryAfterMs) }
    }
    return entry
  }

  const handle = async (name: ProtocolName, protocol: string, maxRequestBytes: number, handler: Handler) => {
    await host.handle(
      protocol,
      (stream, connection) =>
        serve(stream, connection, {
          protocol,
          handle: handler,
          admit: (from) => admit(name, from),
          limits: {
            maxFrameBytes: maxRequestBytes,
            firstByteMs: settings.requestMs,
            frameMs: settings.requestMs,
            answerMs: settings.requestMs,
            stallMs: settings.stallMs,
            graceMs: settings.graceMs
          },
          maxAnswerFrameBytes: maxFrameBytes,
          log: quiet
        }),
      { maxInboundStreams: MAX_PROTOCOL_STREAMS, maxOutboundStreams: MAX_PROTOCOL_STREAMS }
    )
  }

  const goodbye: Handler = (frame: Frame, { peerId }: Asker) => {
    try {
      const { reason, message } = readGoodbye(frame)
      options.onGoodbye(peerId, reason, message)
    } catch (error) {
      options.log.debug({ peer: peerId, err: messageOf(error) }, 'goodbye not understood')
    }
    return []
  }
  const votes = serveVotes((request) => ports.readVotes(request), maxFrameBytes)
  // They hold whole blocks too: to validators they go at once, others stand in line.
  const votesToOthers = budgeted(votes, budget, settings.serveMs)
  const blocks = serveBlocks({
    head: () => ports.head(),
    readBlocks: (start, count, maxBytes) => ports.readBlocks(start, count, maxBytes),
    answerBytes: settings.blocksAnswerBytes,
    frameBytes
  })

  await handle('hello', HELLO_PROTOCOL, MAX_SMALL_REQUEST_BYTES, options.handshake.serve)
  await handle('goodbye', GOODBYE_PROTOCOL, MAX_SMALL_REQUEST_BYTES, goodbye)
  await handle('status', protocolId(scope, 'status'), MAX_STATUS_BYTES, options.status.serve)
  await handle('votes', protocolId(scope, 'votes'), MAX_VOTES_REQUEST_BYTES, (frame, asker) =>
    (options.isValidator(asker.peerId) ? votes : votesToOthers)(frame, asker)
  )
  const bulk = async (name: 'blocks' | 'headers' | 'proof' | 'snapshot', handler: Handler): Promise<void> => {
    const held = budgeted(handler, budget, settings.serveMs)
    await handle(name, protocolId(scope, name), MAX_SMALL_REQUEST_BYTES, held)
  }
  await bulk('blocks', blocks)
  if (ports.snapshots !== undefined) await bulk('snapshot', serveSnapshot(ports.snapshots))
  const { proving } = ports
  if (proving === undefined) return
  const headers = serveHeaders({
    head: () => ports.head(),
    readHeaders: (start, count) => proving.readHeaders(start, count),
    readPeaks: (leafCount) => proving.readPeaks(leafCount),
    answerBytes: settings.headersAnswerBytes,
    frameBytes
  })
  await bulk('headers', headers)
  // Proofs are small, but reading for them is not: they stand in the same line.
  const proof = serveProof((request, onRead) => proving.prove(request, onRead))
  await bulk('proof', proof)
}
