import { connect as connectSocket, createServer, type Socket } from 'node:net'
import { stopLater } from './hosts.ts'
import type { TestNode } from './nodes.ts'

export interface Way {
  /** Where to dial it. */
  readonly address: string
  /** Nothing comes through any more, in either direction, and nobody is told: as when a machine has lost its power. */
  cut(): void
}

/** A way to the node that begins at another address of this machine: it sees its peers come from `host`. */
export async function wayTo(to: TestNode, host: string): Promise<Way> {
  const port = Number(/\/tcp\/(\d+)/.exec(to.address)?.[1])
  const sockets = new Set<Socket>()
  let isCut = false
  const server = createServer((near) => {
    const far = connectSocket({ port, host: '127.0.0.1', localAddress: host })
    for (const [one, other] of [
      [near, far],
      [far, near]
    ] as const) {
      sockets.add(one)
      one.on('data', (bytes) => isCut || other.write(bytes))
      one.on('error', () => isCut || other.destroy())
      one.on('close', () => isCut || other.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stopLater({
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  })
  const { port: here } = server.address() as { port: number }
  return {
    address: `/ip4/127.0.0.1/tcp/${here}/p2p/${to.network.peerId}`,
    cut: () => {
      isCut = true
    }
  }
}
