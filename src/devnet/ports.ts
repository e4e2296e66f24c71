import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { MolochError } from '../error.ts'

/** Below it are the ports of well-known services. */
const LOWEST = 10_000
/** Where the search goes on. Two devnets that are made at the same moment, by one process or two, get different ports. */
let last: number | undefined

/** Tried in turn; a machine with so many ports in use has other troubles. */
const MAX_TRIES = 2000

/**
 * Ports of 127.0.0.1 that nothing listens on. They lie below the range from which the system takes the ports of
 * outgoing connections: one of those would sooner or later sit on the port of a node that is just being restarted.
 * @throws MolochError NO_FREE_PORTS
 */
export async function freePorts(count: number): Promise<number[]> {
  const highest = ephemeralStart()
  const ports: number[] = []
  last ??= LOWEST + ((process.pid * 7919) % (highest - LOWEST))
  for (let tries = 0; tries < MAX_TRIES && ports.length < count; tries++) {
    last = last + 1 < highest ? last + 1 : LOWEST
    const port = last
    if (await isFree(port)) ports.push(port)
  }
  if (ports.length < count) {
    throw new MolochError('NO_FREE_PORTS', `found ${ports.length} free ports of the ${count} that the devnet needs`)
  }
  return ports
}

function ephemeralStart(): number {
  try {
    const start = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0])
    return start >= LOWEST + MAX_TRIES ? start : 65_000
  } catch {
    // No Linux: the range that IANA names.
    return 49_152
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', () => done(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => done(true)))
  })
}
