import type { WriteBatch } from './batch.ts'
import type { Database, Row } from './database.ts'

/** A batch is in memory twice while it is written. */
export const COPY_BYTES = 1 << 20

/** Puts rows into a database, some at a time; killed on the way it has some of them. @throws MolochError STORE_FAILED */
export async function copyRows(rows: AsyncIterable<Row>, to: Database): Promise<void> {
  let batch: WriteBatch = to.batch()
  try {
    for await (const [key, value] of rows) {
      batch.put(key, value)
      if (batch.bytes < COPY_BYTES) continue
      const full = batch
      batch = to.batch()
      await to.write(full)
    }
  } catch (error) {
    await batch.discard()
    throw error
  }
  await (batch.operations > 0 ? to.write(batch) : batch.discard())
}
