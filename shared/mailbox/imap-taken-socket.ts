import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { ReadAhead } from './read-ahead.ts'

/** The socket while it is taken. Nothing is read from it beyond `readAheadOctets` unless somebody takes it. */
export interface TakenSocket {
  /** What has arrived, lent until the next call; undefined when nothing has. */
  read(): Buffer | undefined
  /**
   * What arrives next goes to `memory` and nowhere before. Resolves to how many octets did: when it is full, when the connection has ended, or when
   * some have come and `afterMs` are over. What had arrived before has to be read first.
   */
  fill(memory: Buffer, afterMs: number): Promise<number>
  /** Resolves when something has arrived or the connection has ended. One caller at a time. */
  arrival(): Promise<void>
  /** Nothing will arrive any more; what did is still there to `read`. */
  readonly ended: boolean
  write(octets: string): void
  /** Writes the last that will be said. The process may end before it is answered. */
  part(octets: string): void
  /** What imapflow writes next goes between the two, in one piece. `behind` where that is a whole command: one without a literal. */
  surround(before: string, behind: string): Surrounding
  /** Lets imapflow read octets, whole responses only. Resolves when it takes more. */
  pass(octets: Buffer): Promise<void>
  /** imapflow reads again, `unread` first. */
  giveBack(unread: Buffer): void
}

export interface Surrounding {
  /** Resolves when imapflow has written. */
  readonly written: Promise<void>
  cancel(): void
}

/** Whoever has taken the socket. */
export interface Holder {
  /** What comes is lent to it until it returns. */
  arrive: ((octets: Buffer) => void) | undefined
}

/** Takes the socket; `readerNow`: what imapflow reads from, when it does. `follow` listens only while it reads. */
export function takeSocket(
  socket: Socket,
  holder: Holder,
  readerNow: () => Writable | undefined,
  follow: (octets: Buffer) => void,
  readAheadOctets: number,
  idleMs: number,
): TakenSocket {
  const arrived = new ReadAhead()
  let ended = socket.destroyed || socket.readableEnded
  let wake = (): void => {}
  let waking: NodeJS.Immediate | undefined
  let filling: { readonly memory: Buffer; octets: number; readonly untilMs: number } | undefined
  const arrive = (octets: Buffer): void => {
    const rest = filling ? fill(filling, octets) : octets
    if (rest.length === 0) return
    arrived.add(rest)
    if (arrived.octets > readAheadOctets) socket.pause()
    // Many records come out of one read of the socket: who waits is woken for all of them.
    waking ??= setImmediate(() => {
      waking = undefined
      wake()
    })
  }
  const fill = (into: NonNullable<typeof filling>, octets: Buffer): Buffer => {
    const { memory, untilMs } = into
    const taking = octets.subarray(0, memory.length - into.octets)
    memory.set(taking, into.octets)
    into.octets += taking.length
    const isFull = into.octets === memory.length
    if (isFull || performance.now() > untilMs) {
      filling = undefined
      wake()
    }
    return octets.subarray(taking.length)
  }
  const end = (): void => {
    ended = true
    filling = undefined
    wake()
  }
  const reader = readerNow()
  socket.setTimeout(0)
  if (reader) socket.unpipe(reader)
  socket.off('data', follow)
  holder.arrive = arrive
  socket.on('data', arrive).once('end', end).once('close', end).resume()

  return {
    read() {
      const octets = arrived.take()
      if (octets && octets.length > readAheadOctets) socket.resume()
      return octets
    },
    arrival: () =>
      new Promise((resolve) => {
        wake = resolve
        if (arrived.octets > 0 || ended) resolve()
      }),
    async fill(memory, afterMs) {
      if (arrived.octets > 0) throw new TypeError('what has arrived was not read')
      if (ended) return 0
      const into = { memory, octets: 0, untilMs: performance.now() + afterMs }
      filling = into
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      return into.octets
    },
    get ended() {
      return ended
    },
    write(octets) {
      // What cannot be sent any more is told by the answer that does not come.
      if (socket.writable) socket.write(octets, 'latin1')
    },
    part(octets) {
      if (socket.writable) socket.write(octets, 'latin1')
      socket.unref()
    },
    surround(before, behind) {
      const { write } = socket
      const written = new Promise<void>((resolve) => {
        socket.write = ((octets: Buffer) => {
          socket.write = write
          resolve()
          return write.call(
            socket,
            Buffer.concat([Buffer.from(before, 'latin1'), octets, Buffer.from(behind, 'latin1')]),
          )
        }) as typeof write
      })
      return {
        written,
        cancel() {
          socket.write = write
        },
      }
    },
    async pass(octets) {
      if (reader && !reader.destroyed && !reader.write(octets)) await eventOf(reader, 'drain', 'close')
    },
    giveBack(unread) {
      holder.arrive = undefined
      clearImmediate(waking)
      socket.off('data', arrive).off('end', end).off('close', end).pause()
      if (ended) return
      const all = Buffer.concat([unread, arrived.take() ?? Buffer.of()])
      if (all.length > 0) socket.unshift(all)
      socket.setTimeout(idleMs)
      const back = readerNow()
      if (back) socket.pipe(back)
    },
  }
}

export function eventOf(emitter: Socket | Writable, ...names: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      for (const name of names) emitter.off(name, settle)
      resolve()
    }
    for (const name of names) emitter.on(name, settle)
  })
}
