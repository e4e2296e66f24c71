import type { TraceEvent } from './event.ts'

interface Source {
  readonly events: AsyncIterator<TraceEvent>
  /** Its place among the sources, which decides between events of one time. */
  readonly place: number
  event: TraceEvent
}

/**
 * The events of all sources by timestamp, one of each source in memory. Sources are taken to be in order themselves; an
 * event that is earlier than the one before it in its source comes right after that one.
 */
export async function* mergeTraces(sources: readonly AsyncIterable<TraceEvent>[]): AsyncGenerator<TraceEvent> {
  const heap: Source[] = []
  const opened: AsyncIterator<TraceEvent>[] = []
  try {
    for (const [place, source] of sources.entries()) {
      const events = source[Symbol.asyncIterator]()
      opened.push(events)
      const first = await events.next()
      if (first.done !== true) heap.push({ events, place, event: first.value })
    }
    for (let at = (heap.length >> 1) - 1; at >= 0; at--) sink(heap, at)
    while (heap.length > 0) {
      const least = heap[0] as Source
      yield least.event
      const next = await least.events.next()
      if (next.done !== true) least.event = next.value
      else {
        const last = heap.pop() as Source
        if (heap.length === 0) return
        heap[0] = last
      }
      sink(heap, 0)
    }
  } finally {
    // Whoever stops early does not leave files open.
    for (const events of opened) await events.return?.()
  }
}

function isBefore(a: Source, b: Source): boolean {
  return a.event.timestamp === b.event.timestamp ? a.place < b.place : a.event.timestamp < b.event.timestamp
}

/** Puts the source at that place of the heap below those that are before it. */
function sink(heap: Source[], from: number): void {
  const source = heap[from] as Source
  let at = from
  for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
    const right = child + 1
    if (right < heap.length && isBefore(heap[right] as Source, heap[child] as Source)) child = right
    if (!isBefore(heap[child] as Source, source)) break
    heap[at] = heap[child] as Source
    at = child
  }
  heap[at] = source
}
