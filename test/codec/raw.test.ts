import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalBytes } from '../../src/codec/bytes.ts'
import { emptyBodySpans, emptyEventSpans, findBodySpans, findEventSpans } from '../../src/codec/event-spans.ts'
import { Block, Commit, FinalizedBlock, Header } from '../../src/codec/generated/chain.ts'
import { EventBody, SignedEvent } from '../../src/codec/generated/event.ts'
import { Events, NewBlock } from '../../src/codec/generated/gossip.ts'
import { Manifest, RawSnapshot, Snapshot, TopKind } from '../../src/codec/generated/snapshot.ts'
import {
  headerOf,
  joinBlock,
  joinEvents,
  joinFinalized,
  joinNewBlock,
  sealedHeaderOf,
  splitBlock,
  splitEvents,
  splitFinalized,
  splitNewBlock,
  voucherAtEnd,
  withoutVoucher
} from '../../src/codec/raw.ts'
import { runs } from '../support/runs.ts'
import { block, commit, eventBody, signedEvent } from './arbitraries.ts'

const same = (a: Uint8Array, b: Uint8Array): void => expect(equalBytes(a, b)).toBe(true)

test('a block and its raw view have one wire form', () => {
  fc.assert(
    fc.property(block, (value) => {
      const bytes = Block.encode(value)
      const parts = splitBlock(bytes)
      same(parts.header, Header.encode(value.header as Header))
      same(headerOf(bytes), parts.header)
      same(sealedHeaderOf(bytes).header, parts.header)
      same(sealedHeaderOf(bytes.subarray(0)).seal, parts.seal)
      same(parts.seal, value.seal)
      expect(parts.events.length).toBe(value.events.length)
      parts.events.forEach((event, i) => {
        same(event, SignedEvent.encode(value.events[i] as SignedEvent))
        expect(event.buffer).toBe(bytes.buffer)
      })
      same(joinBlock(parts.header, parts.seal, parts.events), bytes)
    }),
    runs(100)
  )
})

test('a finalized block, a new block and a batch of events likewise', () => {
  fc.assert(
    fc.property(block, commit, fc.option(fc.nat(9), { nil: undefined }), (value, certificate, validRound) => {
      const finalized = FinalizedBlock.encode({ block: value, commit: certificate })
      const parts = splitFinalized(finalized)
      same(parts.block, Block.encode(value))
      same(parts.commit, Commit.encode(certificate))
      same(joinFinalized(parts.block, parts.commit), finalized)

      const proposal = { round: 3, signature: value.seal, ...(validRound === undefined ? {} : { validRound }) }
      const newBlock = NewBlock.encode({ ...proposal, block: value as unknown as NonNullable<NewBlock['block']> })
      const view = splitNewBlock(newBlock)
      expect([view.round, view.validRound]).toEqual([3, validRound])
      same(view.block, Block.encode(value))
      same(joinNewBlock(view), newBlock)

      const voucher = validRound === undefined ? undefined : { validator: new Uint8Array(32), signature: value.seal }
      const events = Events.encode({ events: value.events, ...(voucher && { voucher }) })
      const batch = splitEvents(events)
      same(joinEvents(batch.events, batch.voucher), events)
      if (voucher !== undefined) same(withoutVoucher(events), Events.encode({ events: value.events }))
      expect(voucherAtEnd(events)).toEqual(batch.voucher)
    }),
    runs(50)
  )
})

test('spans are where the decoder finds the parts', () => {
  fc.assert(
    fc.property(signedEvent, eventBody, (template, body) => {
      const encoded = EventBody.encode(body)
      if (encoded.length === 0) return
      const bytes = SignedEvent.encode({ ...template, body: encoded })
      const spans = emptyEventSpans()
      findEventSpans(bytes, 0, spans)
      same(bytes.subarray(spans.body, spans.bodyEnd), encoded)
      same(bytes.subarray(spans.actor, spans.actor + 32), template.actor)
      same(bytes.subarray(spans.signature, spans.signature + 64), template.signature)
      const parts = emptyBodySpans()
      findBodySpans(bytes, spans.body, spans.bodyEnd, parts)
      const text = (start: number, end: number): string =>
        new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(start, end))
      expect(parts.timestamp).toBe(body.timestamp)
      expect(text(parts.action, parts.actionEnd)).toBe(body.action)
      expect(text(parts.kind, parts.kindEnd)).toBe(body.resource?.kind)
      expect(text(parts.id, parts.idEnd)).toBe(body.resource?.id)
    }),
    runs(200)
  )
})

test('a snapshot frame and its raw view have one wire form', () => {
  const bytes = (length: number) => new Uint8Array(length).fill(7)
  const top = { items: [{ kind: TopKind.CHUNK, key: bytes(0), count: 0, head: bytes(0), hash: bytes(32) }] }
  const manifest = {
    eventTotal: 300,
    mmrSubtreeRoots: bytes(64),
    mmrTailPeaks: bytes(32),
    actors: top,
    resources: top,
    actions: top,
    checkpointPath: bytes(32)
  }
  for (const frame of [
    { manifest, chunk: 0, chunks: 0, data: bytes(0) },
    { chunk: 3, chunks: 200, data: bytes(400) }
  ]) {
    const encoded = Snapshot.encode(frame)
    const raw = RawSnapshot.decode(encoded)
    expect(raw.manifest).toEqual('manifest' in frame ? Manifest.encode(manifest) : bytes(0))
    expect(RawSnapshot.encode(raw)).toEqual(encoded)
  }
})
