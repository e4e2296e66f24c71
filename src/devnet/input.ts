/** Which events a run feeds. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MolochError } from '../error.ts'
import type { EventInput } from './event-input.ts'
import { eventsFile } from './event-lines.ts'
import { gitHistory, synthetic } from './event-sources.ts'

export interface Input {
  /** For people. */
  readonly name: string
  readonly events: AsyncIterator<EventInput>
}

/** The checkout that this runs from, if it is one. */
const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * The events asked for, looked at before anything is started: a file is read through once, a repository is opened.
 * @throws MolochError BAD_EVENTS_FILE | BAD_EVENTS_LINE | BAD_REPOSITORY | BAD_OPTION
 */
export async function openInput(options: { events?: string; git?: string; seed: number }): Promise<Input> {
  const { events, git, seed } = options
  if (events !== undefined && git !== undefined) {
    throw new MolochError('BAD_OPTION', '--events and --git exclude each other; give one of them')
  }
  if (events !== undefined) {
    let count = 0
    for await (const _ of eventsFile(events)) count++
    if (count === 0) throw new MolochError('BAD_EVENTS_FILE', `${events} holds no event; at least one line is accepted`)
    return { name: `${count} events of ${events}`, events: eventsFile(events) }
  }
  if (git !== undefined) {
    const history = gitHistory(git)
    const first = await history.next()
    if (first.done) throw new MolochError('BAD_REPOSITORY', `${git} has no commit; a repository with some is accepted`)
    return { name: `the git history of ${git}`, events: following([first.value], history) }
  }
  const own = existsSync(`${CHECKOUT}/.git`)
  return {
    name: `${own ? "this checkout's git history, then " : ''}synthetic events`,
    events: following(own ? forgiving(gitHistory(CHECKOUT)) : [], synthetic(seed))
  }
}

async function* following(
  ...sources: (Iterable<EventInput> | AsyncIterable<EventInput>)[]
): AsyncGenerator<EventInput, undefined> {
  for (const source of sources) yield* source
}

/** Nobody asked for this history: without git, or in somebody else's checkout, the run goes on without it. */
async function* forgiving(source: AsyncIterable<EventInput>): AsyncGenerator<EventInput> {
  try {
    yield* source
  } catch {}
}
