import type { Transform, TransformOptions } from 'node:stream'
import { constants, createGunzip, createGzip, type Gzip, type ZlibOptions } from 'node:zlib'

const NOTHING = Buffer.alloc(0)

/**
 * Zlib's streams piece by piece: everything that comes out for a piece before the next goes in. So what came before a fault
 * is never lost with it, as in a pipe; and a stream of any length takes the memory of one piece.
 */
// What comes out for one piece is held at once: if the stream waited for a reader, its write would not end.
const options: ZlibOptions & TransformOptions = { readableHighWaterMark: 2 ** 30 }

export interface Packer {
  pack(bytes: Buffer): Promise<Buffer>
  /** What ends the file. */
  end(): Promise<Buffer>
}

export const plainPacker: Packer = { pack: async (bytes) => bytes, end: async () => NOTHING }

/** One member of gzip. What was packed so far can be read before it has ended. */
export function gzipPacker(): Packer {
  const gzip: Gzip = createGzip(options)
  return {
    pack: (bytes) =>
      outcome(gzip, (done) => {
        gzip.write(bytes)
        gzip.flush(constants.Z_SYNC_FLUSH, done)
      }),
    end: () => rest(gzip)
  }
}

/**
 * The content of gzip members.
 * @returns whether the last member was whole
 * @throws what zlib says of bytes that are no gzip
 */
export async function* gunzip(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, boolean> {
  const stream = createGunzip(options)
  try {
    for await (const piece of pieces) {
      yield await outcome(stream, (done) => stream.write(piece, done))
    }
    yield await rest(stream)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR') return false
    throw error
  } finally {
    stream.destroy()
  }
}

function outcome(stream: Transform, start: (done: () => void) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject)
    start(() => {
      stream.off('error', reject)
      resolve((stream.read() as Buffer | null) ?? NOTHING)
    })
  })
}

function rest(stream: Transform): Promise<Buffer> {
  // It has ended by itself if there are zeros after the last member, which is how files are padded.
  if (stream.readableEnded) return Promise.resolve(NOTHING)
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    stream.once('error', reject)
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.once('end', () => resolve(Buffer.concat(parts)))
    stream.end()
  })
}
