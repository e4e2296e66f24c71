import type { Benchmark } from './bench.ts'
import { Side } from './processes.ts'
import { rowOf } from './rows.ts'

const MEGABYTES = 256

/** What one libp2p stream carries when nothing is done with the bytes: sync's bound in bytes. */
export const transportRaw: Benchmark = {
  name: 'transport.raw',
  summary: 'one libp2p stream (TCP, Noise, Yamux) between two processes, MB/s',
  async run({ runs, say }) {
    const server = new Side('./transport-side.js')
    const client = new Side('./transport-side.js')
    try {
      const address = await server.call<string>('serve', MEGABYTES)
      const figures: number[] = []
      for (let i = 0; i < runs; i++) {
        const seconds = await client.call<number>('download', address, MEGABYTES)
        figures.push(MEGABYTES / seconds)
        say(`transport.raw: ${figures.at(-1)?.toFixed(0)} MB/s`)
      }
      return rowOf('transport.raw', figures, 'MB/s', { megabytes: MEGABYTES, processes: 2, address: '127.0.0.1' })
    } finally {
      await Promise.all([server.stop(), client.stop()])
    }
  }
}
