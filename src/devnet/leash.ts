/**
 * Preloaded into every node of a devnet (`node --import`): when the devnet's own process is gone, however it ended, the
 * node's end of the channel between them closes and the node stops too. No process is left behind.
 */
import { isMainThread } from 'node:worker_threads'

/** An orderly stop takes at most 10 s; a node that hangs longer must not outlive its devnet. */
const HARD_STOP_MS = 12_000

function stop(): void {
  process.kill(process.pid, 'SIGTERM')
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), HARD_STOP_MS).unref()
}

if (isMainThread) {
  // The devnet may be gone before this is even loaded.
  if (!process.connected) stop()
  else process.once('disconnect', stop)
  // Listening must not keep a node alive that has nothing left to do.
  process.channel?.unref()
}
