import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { TokenBucket } from '../../src/network/token-bucket.ts'
import { answer } from './processes.ts'

// Slow links where no network namespaces can be made: a TCP proxy on 127.0.0.1 in a process of its own. What goes from
// the server to its clients is held to a rate, all connections to one server together; requests go as they come.

/** As much as `tc tbf` is given in netns.ts. */
const BURST_BYTES = 64 << 10

function throttle(from: Socket, to: Socket, bucket: TokenBucket): void {
  from.on('data', (chunk: Buffer) => {
    from.pause()
    const now = performance.now()
    bucket.spend(chunk.byteLength, now)
    const free = to.write(chunk)
    setTimeout(
      () => {
        if (free || to.writableLength === 0) from.resume()
        else to.once('drain', () => from.resume())
      },
      bucket.waitMs(0, now)
    )
  })
  from.on('end', () => to.end())
}

function join(one: Socket, other: Socket): void {
  for (const [socket, peer] of [
    [one, other],
    [other, one]
  ] as const) {
    socket.setNoDelay(true)
    socket.on('error', () => peer.destroy())
    socket.on('close', () => peer.destroy())
  }
}

answer({
  /** Opens a slow way to `port`. @returns the port to use instead */
  open: async (port: number, bytesPerSecond: number): Promise<number> => {
    const bucket = new TokenBucket({ burst: BURST_BYTES, perSecond: bytesPerSecond }, performance.now())
    const server = createServer((client) => {
      const upstream = connect(port, '127.0.0.1')
      join(client, upstream)
      client.pipe(upstream)
      throttle(upstream, client, bucket)
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    return (server.address() as AddressInfo).port
  }
})
