import { DRAIN } from '../limits.ts'

/** One for all drains of a process: what they hold between fetch and record is bounded together. */
export const openRoom = (): Room => new Room(DRAIN.messagesInFlight, DRAIN.octetsInFlight)

/**
 * Bounds how much is between fetch and record: `messages` of them and `octets` in memory, of all drains that share it. Who comes first enters
 * first, so that none of them starves; a message larger than the whole room enters when it is empty.
 */
export class Room {
  readonly #messages: number
  readonly #octets: number
  readonly #waiting: { readonly octets: number; readonly admit: () => void }[] = []
  #messagesInside = 0
  #octetsInside = 0

  constructor(messages: number, octets: number) {
    this.#messages = messages
    this.#octets = octets
  }

  async enter(octets: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#fits(octets)) this.#take(octets)
    else
      await new Promise<void>((admit) => {
        this.#waiting.push({ octets, admit })
      })
  }

  leave(octets: number): void {
    this.#messagesInside--
    this.#octetsInside -= octets
    for (let first = this.#waiting[0]; first && this.#fits(first.octets); first = this.#waiting[0]) {
      this.#waiting.shift()
      this.#take(first.octets)
      first.admit()
    }
  }

  #fits(octets: number): boolean {
    if (this.#messagesInside === 0) return true
    return this.#messagesInside < this.#messages && this.#octetsInside + octets <= this.#octets
  }

  #take(octets: number): void {
    this.#messagesInside++
    this.#octetsInside += octets
  }
}
