import { spawnSync } from 'node:child_process'
import { atEnd } from './cleanup.ts'

const PREFIX = 'moloch-bench'
const NET = '10.66.0'

/**
 * A small network of its own: each end is a network namespace with one link to a bridge, which is in a namespace too, so
 * that nothing of it is seen from outside. What a server sends is held to a rate by the kernel.
 */
export class Namespaces {
  /** What comes before a command that is to run at the client's end. */
  readonly client: readonly string[]
  readonly servers: readonly { readonly prefix: readonly string[]; readonly address: string }[]
  /** Removes it; processes in it must have ended. */
  readonly remove: () => void
  readonly #name = `${PREFIX}-${process.pid}`
  readonly #made: string[] = []

  /** @throws Error that says why it cannot be made here */
  constructor(servers: number, megabits: number) {
    if (process.getuid?.() !== 0) throw new Error('network namespaces need root')
    this.remove = atEnd(() => this.#removeAll())
    try {
      removeAbandoned()
      const hub = this.#add('hub')
      ip('-n', hub, 'link', 'add', 'bridge', 'type', 'bridge')
      ip('-n', hub, 'link', 'set', 'bridge', 'up')
      this.client = inside(this.#end(hub, 'client', `${NET}.1`))
      this.servers = Array.from({ length: servers }, (_, i) => {
        const address = `${NET}.${i + 2}`
        const name = this.#end(hub, `server${i + 1}`, address)
        // A queue of 100 ms, as routers at home have it; a burst as large as the kernel's largest segments.
        const rate = ['rate', `${megabits}mbit`, 'burst', '64kb', 'latency', '100ms']
        run('tc', ['-n', name, 'qdisc', 'add', 'dev', 'eth0', 'root', 'tbf', ...rate])
        return { prefix: inside(name), address }
      })
    } catch (error) {
      this.remove()
      throw error
    }
  }

  /** A namespace with an address, joined to the bridge. */
  #end(hub: string, name: string, address: string): string {
    const namespace = this.#add(name)
    ip('-n', hub, 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
    ip('-n', hub, 'link', 'set', name, 'master', 'bridge', 'up')
    ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0')
    for (const device of ['lo', 'eth0']) ip('-n', namespace, 'link', 'set', device, 'up')
    return namespace
  }

  #add(name: string): string {
    const namespace = `${this.#name}-${name}`
    ip('netns', 'add', namespace)
    this.#made.push(namespace)
    return namespace
  }

  #removeAll(): void {
    for (const namespace of this.#made.splice(0)) spawnSync('ip', ['netns', 'delete', namespace])
  }
}

function inside(namespace: string): readonly string[] {
  return ['ip', 'netns', 'exec', namespace]
}

/** Those of a program that was killed before it could remove them. */
function removeAbandoned(): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const name = line.split(' ')[0] ?? ''
    const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1]
    if (pid !== undefined && !lives(Number(pid))) ip('netns', 'delete', name)
  }
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function ip(...args: string[]): string {
  return run('ip', args)
}

function run(command: string, args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (error !== undefined) throw new Error(`${command} (iproute2) cannot be run: ${error.message}`)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr.trim()}`)
  return stdout
}
