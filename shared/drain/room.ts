/**
 * Bounds how much is between fetch and record: `messages` of them and `octets` in memory. One entrant at a time waits;
 * a message larger than the whole room enters when it is empty.
 */
export class Room {
  readonly #messages: number
  readonly #octets: number
  #messagesInside = 0
  #octetsInside = 0
  #waiting: (() => void) | undefined

  constructor(messages: number, octets: number) {
    this.#messages = messages
    this.#octets = octets
  }

  async enter(octets: number): Promise<void> {
    while (
      this.#messagesInside > 0 &&
      (this.#messagesInside >= this.#messages || this.#octetsInside + octets > this.#octets)
    )
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
    this.#messagesInside++
    this.#octetsInside += octets
  }

  leave(octets: number): void {
    this.#messagesInside--
    this.#octetsInside -= octets
    this.#waiting?.()
    this.#waiting = undefined
  }
}
