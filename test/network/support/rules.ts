import { refusal, type Taken, type TopicRules, type Verdict } from '../../../src/chain/gossip-rules.ts'

interface Said {
  readonly payload: Uint8Array
  readonly taken: Taken
}

/**
 * Rules for payloads of any kind, which no chain's messages are.
 * @param verdict of a payload
 * @param heard told of every payload that got one
 */
export function rulesBy(
  verdict: (payload: Uint8Array) => Verdict | Promise<Verdict>,
  heard: (payload: Uint8Array, from: string) => void = () => {}
): TopicRules<Said> {
  return {
    check: async (payload) => {
      const said = await verdict(payload)
      return said === 'reject' ? refusal('NON_CANONICAL') : { ok: true, message: { payload, taken: said } }
    },
    take: ({ payload, taken }, from) => {
      heard(payload, from)
      return taken
    },
    refused: (_, payload, from) => heard(payload, from)
  }
}

export const ACCEPT_ALL = rulesBy(() => 'accept')
