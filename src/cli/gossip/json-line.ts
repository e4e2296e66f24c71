import type { CheckedEvent } from '../../chain/event.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { toHex } from '../../codec/bytes.ts'
import type { Decoded } from '../../observer/decoded.ts'
import type { Observation, RejectedMessage, SeenMessage } from '../../observer/observations.ts'

type Validators = Pick<Genesis['validators'], 'names' | 'keys'>

/** One observation as data: snake_case, hashes and keys in full, times in Unix ms; null where there is nothing to say. */
export function jsonLine(observation: Observation, validators: Validators): Record<string, unknown> {
  switch (observation.type) {
    case 'message': {
      const { message, at, blockTime, conflict, late } = observation
      return {
        type: message.type,
        ...received(observation, validators),
        ...fields(message, validators),
        block_timestamp: blockTime ?? null,
        delay_ms: blockTime === undefined ? null : at - blockTime,
        conflict,
        late
      }
    }
    case 'rejected':
      return { type: 'rejected', ...received(observation, validators), code: observation.code }
    case 'gap': {
      const { at, topic, from, to, disconnectedMs } = observation
      return {
        type: 'gap',
        at,
        topic,
        from_height: from,
        to_height: to,
        heights: to - from + 1,
        disconnected_ms: whole(disconnectedMs)
      }
    }
    case 'left':
      return { type: 'left', at: observation.at, final_height: observation.finalHeight }
    case 'joined': {
      const { at, peer, finalHeight, disconnectedMs } = observation
      return { type: 'joined', at, peer, final_height: finalHeight, disconnected_ms: whole(disconnectedMs) }
    }
  }
}

function received({ at, topic, from, fromValidator, bytes }: SeenMessage | RejectedMessage, { names }: Validators) {
  return { at, topic, from, from_validator: fromValidator === undefined ? null : names[fromValidator], bytes }
}

function fields(message: Decoded, { names, keys }: Validators): Record<string, unknown> {
  switch (message.type) {
    case 'events':
      return {
        event_count: message.eventCount,
        vouched_by: message.voucher === undefined ? null : names[message.voucher],
        events: message.fresh.map(event)
      }
    case 'new-block':
    case 'finalized':
    case 'header': {
      const { height, round, hash, parentHash, proposer, eventCount } = message
      return {
        height,
        round,
        ...(message.type === 'new-block' ? { valid_round: message.validRound ?? null } : {}),
        hash,
        parent_hash: parentHash,
        proposer: names[proposer],
        proposer_key: toHex(keys[proposer] as Uint8Array),
        event_count: eventCount,
        ...('signers' in message ? { signers: message.signers.map((signer) => names[signer]) } : {})
      }
    }
    default: {
      const { height, round, hash, validator } = message
      const key = toHex(keys[validator] as Uint8Array)
      return { height, round, hash: hash ?? null, validator: names[validator], validator_key: key }
    }
  }
}

function event({ id, actor, fields: { action, resource, timestamp } }: CheckedEvent) {
  return {
    event_id: toHex(id),
    actor: toHex(actor),
    action,
    resource: { kind: resource?.kind ?? '', id: resource?.id ?? '' },
    timestamp
  }
}

function whole(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms)
}
