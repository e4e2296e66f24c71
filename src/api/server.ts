import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isHealth } from './access.ts'
import {
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  MAX_SOCKETS,
  MAX_SOCKETS_AN_ADDRESS,
  REQUEST_TIMEOUT_MS,
  RESERVED_MS,
  RESERVED_SOCKETS,
  STALL_TIMEOUT_MS,
  TIMEOUTS_LOOKED_AT_MS
} from './limits.ts'
import { PacedSocket } from './paced-socket.ts'
import { problemOf } from './problem.ts'
import { type SocketLimits, Sockets } from './sockets.ts'
import { Turns } from './turns.ts'

export interface ServerLimits extends SocketLimits {
  readonly stallMs: number
}

const LIMITS: ServerLimits = {
  sockets: MAX_SOCKETS,
  socketsAnAddress: MAX_SOCKETS_AN_ADDRESS,
  reservedSockets: RESERVED_SOCKETS,
  reservedMs: RESERVED_MS,
  stallMs: STALL_TIMEOUT_MS
}

/**
 * The HTTP server below the routes: what a connection may take, whatever it asks for. Its requests are handled one at a time,
 * the next when the answer before has left; an answer of which nothing is taken for a while is given up with its connection.
 * A request that is waited for, or an answer that has nothing to send now, may take as long as it likes.
 */
export function createApiServer(handle: RequestListener, changed: Partial<ServerLimits> = {}): Server {
  const limits = { ...LIMITS, ...changed }
  const sockets = new Sockets(limits)
  const turns = new Turns()
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUTS_LOOKED_AT_MS
    },
    begin
  )
  // A server takes any stream for a connection, if it is told of one.
  const accept = server.listeners('connection')
  server.removeAllListeners('connection')
  server.on('connection', (raw: Socket) => {
    const socket = new PacedSocket(raw, turns)
    sockets.admit(socket)
    for (const listener of accept) listener.call(server, socket)
  })
  // Called when no byte has moved, in or out, for so long.
  server.setTimeout(limits.stallMs, (socket) => {
    if (socket.writableLength > 0 || sockets.isIdle(pacedSocket(socket))) socket.destroy()
  })
  return server

  function begin(request: IncomingMessage, response: ServerResponse): void {
    const socket = pacedSocket(request.socket)
    if (!socket.begins(request)) {
      socket.destroy()
      return
    }
    sockets.works(socket)
    response.once('close', () => {
      sockets.rests(socket)
      socket.answered()
    })
    const reserved = sockets.isReserved(socket)
    if (reserved) response.setHeader('connection', 'close')
    if (reserved && !isHealth(request.url)) refuse(response)
    else handle(request, response)
  }
}

/** Node calls them Socket, whatever they are. */
function pacedSocket(socket: Socket): PacedSocket {
  return socket as unknown as PacedSocket
}

/** Before the routes, so by hand. */
function refuse(response: ServerResponse): void {
  const detail = 'all connections of this API are in use; without a free one only /health is answered'
  const { headers, body } = problemOf(503, { code: 'BUSY', detail })
  const text = JSON.stringify(body)
  response.writeHead(503, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text)
}
