import { messageOf } from '../error.ts'

/** libp2p's own words advise settings of its own. */
export function listenFailure(where: string, causes: string): string {
  const known: Record<string, string> = {
    EADDRINUSE: 'the port is in use',
    EADDRNOTAVAIL: 'the address is not of this machine',
    EACCES: 'that port is not allowed for this user'
  }
  const reason = Object.entries(known).find(([code]) => causes.includes(code))?.[1]
  const oneLine = causes.split('\n')[0] ?? ''
  return `cannot listen on ${where}: ${reason ?? oneLine}; set p2p.listen to a free address, e.g. /ip4/0.0.0.0/tcp/9646`
}

/** The message of an error that may hold several. */
export function causes(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : messageOf(error)
}
