import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** One connection to the API, byte by byte. */
export class RawClient {
  readonly socket: Socket
  /** All that was read. */
  received = ''
  closed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text) => {
      this.received += text
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
  }

  /** @param from local address; default: the system's choice */
  static async open(url: string, from?: string): Promise<RawClient> {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), ...(from !== undefined && { localAddress: from }) })
    const client = new RawClient(socket)
    onTestFinished(() => {
      socket.destroy()
    })
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return client
  }

  send(text: string): this {
    this.socket.write(text)
    return this
  }

  /** Reads nothing from now on. */
  halt(): this {
    this.socket.pause()
    return this
  }

  /** Status codes of the answers so far, whole ones. */
  get statuses(): number[] {
    return this.answers.map(({ status }) => status)
  }

  get answers(): { readonly status: number; readonly head: string; readonly body: string }[] {
    const found = []
    for (let at = 0; ; ) {
      const end = this.received.indexOf('\r\n\r\n', at)
      if (end === -1) return found
      const head = this.received.slice(at, end)
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      at = end + 4 + length
      if (this.received.length < at) return found
      found.push({ status: Number(head.slice(9, 12)), head, body: this.received.slice(end + 4, at) })
    }
  }
}

export function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`
}

export function post(path: string, json: unknown): string {
  const body = JSON.stringify(json)
  return `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}
