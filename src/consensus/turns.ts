/** Takes of a changing list a few at a time, so that each one's turn comes before anybody's second. */
export class Turns {
  /** The one taken last; if that was everybody, the one that was taken first: the next time another begins. */
  #last = ''

  /** @param names each once; in any order */
  next(names: readonly string[], count: number): string[] {
    const sorted = [...names].sort()
    const after = sorted.findIndex((name) => name > this.#last)
    const at = Math.max(after, 0)
    const taken = [...sorted.slice(at), ...sorted.slice(0, at)].slice(0, Math.max(0, count))
    this.#last = taken.at(taken.length === sorted.length ? 0 : -1) ?? this.#last
    return taken
  }
}
