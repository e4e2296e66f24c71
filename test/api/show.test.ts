import { expect, onTestFinished, test } from 'vitest'
import { Api } from '../../src/api/app.ts'
import { silentLog } from '../../src/log.ts'
import { World } from './support/world.ts'

const OPTIONS = { host: '127.0.0.1', port: 0, token: '', public: false, max_wait_ms: 10_000, max_waiters: 100 }

test('another source takes the place of the first at one port, without a moment in which nobody answers', async () => {
  const [first, second] = [await World.open({ listen: false }), await World.open({ listen: false, blocks: 2 })]
  const api = new Api(OPTIONS, silentLog)
  onTestFinished(() => api.close())
  const url = await api.show(first.source)
  const heightAt = async () => {
    const answer = await fetch(`${url}/v1/status`)
    return ((await answer.json()) as { finalized: { height: number } }).finalized.height
  }
  expect(await heightAt()).toBe(0)
  const heights: number[] = []
  let switched = false
  const asking = (async () => {
    while (heights.at(-1) !== 2 || !switched) heights.push(await heightAt())
  })()
  expect(await api.show(second.source)).toBe(url)
  switched = true
  await asking
  expect(await heightAt()).toBe(2)
})

test('who waits for finality is let go when another source is shown', async () => {
  const [first, second] = [await World.open({ listen: false }), await World.open({ listen: false })]
  // By itself nobody stops waiting within this test's time.
  const api = new Api({ ...OPTIONS, max_wait_ms: 600_000 }, silentLog)
  onTestFinished(() => api.close())
  first.url = await api.show(first.source)
  const sent = () => {
    const { body, actor, signature } = first.maker.event()
    return { body: Buffer.from(body).toString('base64'), actor: hex(actor), signature: hex(signature) }
  }
  const answer = first.post(sent(), { query: '?wait=finalized' })
  await expect.poll(() => first.mempool.stats().events).toBe(1)
  // Once one that came later is on disk and answered, the first is too, but for the answer.
  expect(await first.post(sent())).toMatchObject({ status: 202 })
  await api.show(second.source)
  expect((await answer).body).toMatchObject({ status: 'pending' })
})

test('closing is done once, however often it is asked for, also before anything is shown', async () => {
  const api = new Api(OPTIONS, silentLog)
  const { source } = await World.open({ listen: false })
  const url = await api.show(source)
  await Promise.all([api.close(), api.close()])
  await api.close()
  await expect(fetch(`${url}/v1/status`)).rejects.toThrow()
  await new Api(OPTIONS, silentLog).close()
})

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
