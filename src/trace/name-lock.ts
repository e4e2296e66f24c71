import { mkdir, readFile, realpath, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MolochError } from '../error.ts'
import { lockFileName } from './file-name.ts'

/** Of this process. */
const held = new Set<string>()

/**
 * One writer a name: two would remove each other's files as too old. The lock is a file beside the traces with the process
 * that holds it, and what is left of one that was killed is taken over.
 */
export class NameLock {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  /** Makes the folder too. @throws MolochError TRACE_HELD; what the system says of a folder that cannot be written */
  static async take(folder: string, name: string): Promise<NameLock> {
    await mkdir(folder, { recursive: true })
    const path = join(await realpath(folder), lockFileName(name))
    if (held.has(path)) throw heldBy(folder, name, process.pid)
    held.add(path)
    try {
      await write(path, folder, name)
    } catch (error) {
      held.delete(path)
      throw error
    }
    return new NameLock(path)
  }

  async release(): Promise<void> {
    await unlink(this.#path).catch(() => {})
    held.delete(this.#path)
  }
}

async function write(path: string, folder: string, name: string): Promise<void> {
  const text = `${process.pid} ${await startOf(process.pid)}\n`
  try {
    await writeFile(path, text, { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const [pid, start] = (await readFile(path, 'utf8')).trim().split(' ')
    if (Number(pid) !== process.pid && (await isAlive(Number(pid), start))) throw heldBy(folder, name, Number(pid))
    await writeFile(path, text)
  }
}

function heldBy(folder: string, name: string, pid: number): MolochError {
  const what = `${join(folder, name)}-* is the gossip trace that process ${pid} writes; another name is accepted`
  return new MolochError('TRACE_HELD', what, { folder, name, pid })
}

/** Whether it is the process that wrote the lock, and not another that has its id by now. */
async function isAlive(pid: number, start: string | undefined): Promise<boolean> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return (await startOf(pid)) === start
}

/** When the process began, in the kernel's ticks; where it does not say, the same for all. */
async function startOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The name of the program is in brackets and may have blanks; the 20th field after it is the start.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
  } catch {
    return '0'
  }
}
