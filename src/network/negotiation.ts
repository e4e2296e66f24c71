import type { MessageStream } from '@libp2p/interface'

/**
 * Words on which protocol a stream, or a connection before Noise, is to speak: an honest peer is answered once for each that it
 * tries. Each is some bytes, and an answer costs far more.
 */
const MAX_ANSWERS = 16

/** @param isOn whether it is not agreed yet what is spoken */
export function boundNegotiation(stream: MessageStream, isOn: () => boolean): void {
  const send = stream.send.bind(stream)
  let answers = 0
  stream.send = (bytes) => {
    if (isOn()) answers += 1
    if (answers > MAX_ANSWERS) throw new Error('the peer asks for too many protocols')
    return send(bytes)
  }
}
