// libp2p 3 calls Promise.withResolvers, which Node 20 lacks. Must be the first import of every entry point and worker.
if (typeof (Promise as { withResolvers?: unknown }).withResolvers !== 'function') {
  Object.defineProperty(Promise, 'withResolvers', {
    configurable: true,
    writable: true,
    value: function withResolvers<T>(this: PromiseConstructor) {
      let resolve!: (value: T | PromiseLike<T>) => void
      let reject!: (reason?: unknown) => void
      const promise = new this<T>((yes, no) => {
        resolve = yes
        reject = no
      })
      return { promise, resolve, reject }
    }
  })
}
