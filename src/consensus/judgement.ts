import type { Verdict } from './ports.ts'

/** What is wrong with it (`reject`), or how it is dealt with. */
export interface Judgement {
  readonly verdict: Verdict
  /** Of a rejected message: the failure's code. */
  readonly code?: string
}

export const ACCEPT: Judgement = { verdict: 'accept' }
export const IGNORE: Judgement = { verdict: 'ignore' }

export function reject(code: string): Judgement {
  return { verdict: 'reject', code }
}
