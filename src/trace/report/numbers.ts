const NONE = '–'

export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** To three digits or whole. */
export function amount(value: number | null): string {
  if (value === null) return NONE
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** Without making 100 % of what is not all. */
export function percent(share: number | null): string {
  if (share === null) return NONE
  const text = (share * 100).toFixed(1)
  return `${share < 1 && text === '100.0' ? '99.9' : text} %`
}

/** The end of a peer id, where ids differ. */
export function shortPeer(peer: string): string {
  return peer.length <= 10 ? peer : `…${peer.slice(-8)}`
}
