import type { Context } from './bench.ts'
import { Namespaces } from './netns.ts'
import { Side } from './processes.ts'

/** Processes of one client and some servers, and slow links between them. */
export interface Links {
  /** For the row's conditions. */
  readonly how: string
  /** A process at the client's end of all links. */
  client(): Side
  /** A process at the far end of link `index`. */
  server(index: number): Side
  /** The IP address that a server listens at. */
  host(index: number): string
  /** The address by which a client reaches the server at the end of link `index` that listens at `address`. */
  way(index: number, address: string): Promise<string>
  /** After the processes have ended. */
  close(): Promise<void>
}

export interface LinkSpec {
  readonly servers: number
  /** What each server may send, in Mbit/s. */
  readonly megabits: number
}

/** Links whose rate the kernel holds, if it lets us make them and nobody asked for the proxy; otherwise that does it. */
export function openLinks(spec: LinkSpec, script: string, { proxy, say }: Pick<Context, 'proxy' | 'say'>): Links {
  if (proxy) return proxyLinks(spec, script, 'as asked')
  try {
    return namespaceLinks(spec, script)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    say(`no network namespaces (${reason}): a proxy limits the rates`)
    return proxyLinks(spec, script, reason)
  }
}

function namespaceLinks({ servers, megabits }: LinkSpec, script: string): Links {
  const net = new Namespaces(servers, megabits)
  const end = (index: number) => net.servers[index] as (typeof net.servers)[number]
  return {
    how: 'tc tbf in network namespaces',
    client: () => new Side(script, { prefix: net.client }),
    server: (index) => new Side(script, { prefix: end(index).prefix }),
    host: (index) => end(index).address,
    way: async (_, address) => address,
    close: async () => net.remove()
  }
}

function proxyLinks({ megabits }: LinkSpec, script: string, reason: string): Links {
  const proxy = new Side('./throttle-side.js')
  return {
    how: `a proxy process on 127.0.0.1 (${reason})`,
    client: () => new Side(script),
    server: () => new Side(script),
    host: () => '127.0.0.1',
    way: async (_, address) => {
      const port = Number(/\/tcp\/(\d+)/.exec(address)?.[1])
      const slow = await proxy.call<number>('open', port, (megabits * 1e6) / 8)
      return address.replace(`/tcp/${port}`, `/tcp/${slow}`)
    },
    close: () => proxy.stop()
  }
}
