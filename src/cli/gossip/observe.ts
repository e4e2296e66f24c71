import { scope } from '../../chain/genesis.ts'
import { MolochError } from '../../error.ts'
import { VERSION } from '../../node/version.ts'
import { Observer, type ObserverOptions } from '../../observer/observer.ts'
import type { Cli } from '../cli.ts'
import type { Target } from './connect.ts'
import { warnings } from './log.ts'
import { Until } from './until.ts'

export interface Observing {
  /** Undefined: until a signal. */
  readonly seconds: number | undefined
  /** Called with the observer before it starts; `end` ends it. */
  readonly attach?: (observer: Observer, end: () => void) => void
  readonly more?: Partial<ObserverOptions>
}

/**
 * Observes a network until it is told to end, and leaves it in an orderly way.
 * @throws MolochError LISTEN_FAILED, or NO_PEER if the time is over and there was nobody to observe
 */
export async function observe(cli: Cli, target: Target, { seconds, attach, more }: Observing): Promise<Observer> {
  const { genesis, bootstrap } = target
  const until = new Until(seconds)
  try {
    const observer = await Observer.create({
      ...target,
      userAgent: `moloch-observer/${VERSION}`,
      log: warnings(cli),
      ...more
    })
    attach?.(observer, () => until.now('enough'))
    await observer.start()
    cli.err(`observing ${scope(genesis)} by way of ${[...bootstrap, ...observer.addresses()].join(' ')}`)
    const why = await until.end
    await observer.stop()
    const { shown, repeated, rejected } = observer.counts
    cli.err(
      `${shown} messages, ${repeated} that said nothing new, ${rejected} rejected; final up to ${observer.finalHeight}`
    )
    if (why === 'time' && !observer.everJoined) {
      throw new MolochError('NO_PEER', `no peer was reached within ${seconds} s at ${bootstrap.join(' ')}`)
    }
    return observer
  } finally {
    until.release()
  }
}
