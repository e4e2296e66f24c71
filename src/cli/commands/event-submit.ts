import { type Command, InvalidArgumentError } from 'commander'
import type { SubmitResultJson } from '../../api/schemas.ts'
import type { EventBody } from '../../chain/event.ts'
import { toHex } from '../../codec/bytes.ts'
import { MolochError } from '../../error.ts'
import { type Cli, printJson, usageError } from '../cli.ts'
import { type ApiOptions, apiClient } from '../client.ts'
import { HOME_OPTION, JSON_OPTION, newCommand, URL_OPTION } from '../command.ts'
import { collectAssignments, once, resourceName, timeOption, wholeNumber } from '../parsers.ts'
import type { Fields, Progress, Submitted } from '../submit.ts'

/** Seconds that --wait waits: a chain that finalizes nothing for so long has a fault that somebody must see. */
const DEFAULT_TIMEOUT = 120
const MAX_TIMEOUT = 86_400
/** Of an event that is too old to be taken, and may be in a block that the node does not hold. */
const UNKNOWN = 'UNAVAILABLE'

const OUTCOMES = ['SUCCESS', 'FAILURE', 'DENIED', 'PENDING'] as const

interface SubmitOptions extends ApiOptions {
  readonly key?: string
  readonly action?: string
  readonly resource?: { readonly kind: string; readonly id?: string }
  readonly outcome?: (typeof OUTCOMES)[number]
  readonly occurredAt?: number
  readonly actorName?: string
  readonly meta?: readonly (readonly [string, string])[]
  readonly file?: string
  readonly wait?: boolean
  readonly timeout: number
  readonly json?: boolean
}

export function eventSubmitCommand(cli: Cli): Command {
  return newCommand(cli, 'submit', {
    summary: 'sign an event, or each line of a file, and hand it to a node',
    example: 'moloch event submit --action login --resource account:alice --outcome DENIED --meta ip=10.0.0.7 --wait'
  })
    .option('--action <action>', 'what was done: 1 to 64 of a-z, 0-9, ".", "_" and "-"', once(String))
    .option('--resource <kind:id>', 'what it was done to', once(resourceName))
    .option('--outcome <outcome>', `how it ended: ${OUTCOMES.join(', ')} (default: SUCCESS)`, once(outcomeOption))
    .option('--occurred-at <time>', 'when it happened, with its zone: 2026-01-31T12:00:00Z', once(timeOption))
    .option('--actor-name <name>', "the actor's name for people", once(String))
    .option('--meta <name=value>', 'more about it; repeat for each', collectAssignments)
    .option(
      '--file <file>',
      'JSON lines in UTF-8 with "action" and "resource": {"kind", "id"} each; - = standard input',
      once(String)
    )
    .option('--key <file>', "key file to sign with (default: the home's actor.key)", once(String))
    .option('--wait', 'until it is final; exit 1 if it is not in time')
    .option('--timeout <seconds>', 'how long --wait waits', wholeNumber(1, MAX_TIMEOUT), DEFAULT_TIMEOUT)
    .option(...HOME_OPTION)
    .option(...URL_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: SubmitOptions) => {
      const { readEventLines } = await import('../event-lines.ts')
      const { assertFinal, awaitFinal } = await import('../await-final.ts')
      const { openSigner, submitAll, submitOne } = await import('../submit.ts')
      const api = apiClient(cli, options)
      if (options.file === undefined) {
        const fields = fieldsOf(options)
        const signer = await openSigner(cli, api, options)
        const { submitted, failure } = await final({ submitted: [await submitOne(api, signer.sign(fields))] })
        const [one] = submitted as readonly [Submitted]
        if ('code' in one.result) throw new MolochError(one.result.code, line(one))
        if (options.json) printJson(cli, one.result)
        else cli.out(line(one))
        if (failure !== undefined) throw failure
        if (options.wait) assertFinal(submitted, options.timeout)
        return
      }
      refuseBesideFile(options)
      const signer = await openSigner(cli, api, options)
      // All lines are read, and found good, before the first is sent.
      const events = await readEventLines(cli, options.file, signer.genesis.params.maxEventBytes)
      const { submitted, failure } = await final(await submitAll(api, events, signer))
      if (options.json) printJson(cli, { results: submitted.map(named) })
      else for (const one of submitted) ('code' in one.result ? cli.err : cli.out)(line(one))
      if (failure !== undefined) throw failure
      assertTaken(submitted)
      if (options.wait) assertFinal(submitted, options.timeout)

      /** What was not handed in is not waited for: whoever is asked would be gone. */
      async function final(progress: Progress): Promise<Progress> {
        if (!options.wait || progress.failure !== undefined) return progress
        return awaitFinal(api, progress.submitted, options.timeout * 1000)
      }
    })
}

/** @throws MolochError EVENTS_REFUSED */
function assertTaken(submitted: readonly Submitted[]): void {
  const failed = submitted.flatMap(({ result }) => ('code' in result ? [result.code] : []))
  const unknown = failed.filter((code) => code === UNKNOWN).length
  const told = unknown === 0 ? '' : `; of ${unknown} more this node cannot tell whether they are final`
  if (failed.length === 0) return
  throw new MolochError(
    'EVENTS_REFUSED',
    `${failed.length - unknown} of ${submitted.length} events were refused${told}`
  )
}

function fieldsOf(options: SubmitOptions): Fields {
  const { action, resource } = options
  if (action === undefined || resource?.id === undefined) {
    throw usageError('--action and --resource KIND:ID are needed, or --file FILE')
  }
  const metadata = (options.meta ?? []).map(([key, value]) => ({ key, value }))
  return {
    action,
    resource: { kind: resource.kind, id: resource.id },
    occurredAt: options.occurredAt,
    outcome: (options.outcome ?? 'SUCCESS') as EventBody['outcome'],
    actorName: options.actorName,
    metadata: metadata.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
  }
}

function outcomeOption(text: string): (typeof OUTCOMES)[number] {
  const outcome = OUTCOMES.find((known) => known === text)
  if (outcome !== undefined) return outcome
  throw new InvalidArgumentError(`One of ${OUTCOMES.join(', ')} is accepted.`)
}

function refuseBesideFile(options: SubmitOptions): void {
  const { action, resource, outcome, occurredAt, actorName, meta } = options
  if ([action, resource, outcome, occurredAt, actorName, meta].every((option) => option === undefined)) return
  throw usageError(
    '--file says all of each event; of the others only --key, --wait, --timeout, --home, --url and --json go with it'
  )
}

function line({ event, result }: Submitted): string {
  const id = toHex(event.id)
  if ('code' in result)
    return `${id} ${result.code === UNKNOWN ? 'unknown' : 'refused'}: ${result.message} (${result.code})`
  return `${id} ${result.status}${result.height === undefined ? '' : ` in block ${result.height}`}`
}

/** The node names what it can read; here it is known of all. */
function named({ event, result }: Submitted): SubmitResultJson {
  return { ...result, event_id: toHex(event.id) }
}
