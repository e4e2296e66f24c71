import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { toHex } from '../../codec/bytes.ts'
import { MolochError, messageOf } from '../../error.ts'
import { MAX_PROOF_CHARS, parseProofFile } from '../../light/verify/parse-proof.ts'
import { type Cli, usageError } from '../cli.ts'
import { type ApiOptions, apiClient } from '../client.ts'
import { HOME_OPTION, newCommand, URL_OPTION } from '../command.ts'
import { heightOption } from '../parsers.ts'

export function proofEventCommand(cli: Cli): Command {
  return newCommand(cli, 'event', {
    summary: 'get a proof that an event is final, as a file that anybody can check',
    example: `moloch proof event ${'5f'.repeat(32)} --out proof.json`
  })
    .argument('<id>', 'event id, 64 hex digits')
    .option('--anchor <height>', "block whose header the proof leads to (default: the node's choice)", heightOption)
    .option('--out <file>', 'write it there instead of printing it')
    .option(...HOME_OPTION)
    .option(...URL_OPTION)
    .action(async (id: string, options: ApiOptions & { anchor?: number; out?: string }) => {
      if (!/^[0-9a-fA-F]{64}$/.test(id)) {
        throw usageError(`${JSON.stringify(id)} is no event id; 64 hex digits are accepted`)
      }
      const eventId = id.toLowerCase()
      const client = apiClient(cli, options)
      const query = options.anchor === undefined ? '' : `?anchor=${options.anchor}`
      const text = await client.text(`/v1/proofs/events/${eventId}${query}`, MAX_PROOF_CHARS)
      const proof = readAnswer(client.url, text, eventId)
      const json = JSON.stringify(JSON.parse(text), null, 2)
      if (options.out === undefined) cli.out(json)
      else writeFileSync(options.out, `${json}\n`)
      const { height, hash } = proof.anchor
      cli.err(`anchored at block ${height}; to check it: moloch proof verify FILE --trust ${height}:${toHex(hash)}`)
      cli.err('trust that hash only if you have it from somewhere else than this node')
    })
}

/** What a node answers with is looked at before it is kept: a proof, and of this event. Whether it proves it is `verify`'s. */
function readAnswer(url: string, text: string, eventId: string) {
  const proof = parse(url, text)
  if (proof.kind !== 'event' || toHex(proof.eventId) !== eventId) {
    throw new MolochError('BAD_ANSWER', `${url} answers with a proof of something else than event ${eventId}`)
  }
  return proof
}

function parse(url: string, text: string) {
  try {
    return parseProofFile(text)
  } catch (error) {
    throw new MolochError('BAD_ANSWER', `${url} does not answer with a proof: ${messageOf(error)}`)
  }
}
