/** What is wrong with a part of an answer (`reject`, with a failure's code), or how it is dealt with. */
export type Judgement =
  | { readonly verdict: 'accept' | 'ignore' }
  | { readonly verdict: 'reject'; readonly code: string }

export const ACCEPT: Judgement = { verdict: 'accept' }
export const IGNORE: Judgement = { verdict: 'ignore' }

export function reject(code: string): Judgement {
  return { verdict: 'reject', code }
}
