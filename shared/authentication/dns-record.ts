import type { DnsEvidence, RecordType } from '../contract/authentication.ts'
import type { Deadline } from '../deadline.ts'
import { AUTHENTICATION } from '../limits.ts'
import type { Dns, DnsAnswer } from './dns.ts'

/** The answer is that there is nothing: asking again would not help. */
const LASTING: ReadonlySet<string | undefined> = new Set([undefined, 'ENOTFOUND', 'ENODATA', 'EBADNAME'])

/** Ours, for what a message may not cost. */
const TOO_MANY = 'TOO_MANY_LOOKUPS'
const TOO_LARGE = 'ANSWER_TOO_LARGE'

/**
 * What is asked of DNS for one message: every question once, bounded in number, size and time, and kept with its answer.
 */
export class DnsRecord {
  readonly #dns: Dns
  readonly #deadline: Deadline
  readonly #now: () => Date
  readonly #asked = new Map<string, Promise<DnsEvidence>>()
  readonly #answers: DnsEvidence[] = []

  constructor(dns: Dns, deadline: Deadline, now: () => Date) {
    this.#dns = dns
    this.#deadline = deadline
    this.#now = now
  }

  /** In the order of their names, for they come as they come. */
  get answers(): readonly DnsEvidence[] {
    return this.#answers.toSorted((a, b) => (keyOf(a.name, a.rrtype) < keyOf(b.name, b.rrtype) ? -1 : 1))
  }

  /** Some answer did not come, and may come later. */
  get temporary(): boolean {
    return this.#answers.some(mayCome)
  }

  /** A key is among those. */
  get keyTemporary(): boolean {
    return this.#answers.some((answer) => mayCome(answer) && answer.name.includes('._domainkey.'))
  }

  /** As mailauth wants it: rejects with an error that has the failure as its code. */
  readonly resolver = async (name: string, type: string): Promise<string[] | string[][]> => {
    const key = keyOf(name, type)
    let asked = this.#asked.get(key)
    if (!asked) {
      asked = this.#ask(name, type as RecordType)
      this.#asked.set(key, asked)
    }
    const { records, failure } = await asked
    if (!records) throw Object.assign(new Error(`${type} ${name}: ${failure}`), { code: failure })
    if (type === 'TXT') return records.map((text) => [text])
    if (type === 'MX') return records.map(exchanger) as unknown as string[]
    return [...records]
  }

  async #ask(name: string, type: RecordType): Promise<DnsEvidence> {
    const answer =
      this.#asked.size >= AUTHENTICATION.lookups
        ? { failure: TOO_MANY }
        : bounded(await this.#inTime(name, type))
    const { records, failure } = answer
    const evidence: DnsEvidence = {
      type: 'answer',
      name,
      rrtype: type,
      at: this.#now().toISOString(),
      ...(records ? { records: [...records] } : { failure }),
    }
    this.#answers.push(evidence)
    return evidence
  }

  async #inTime(name: string, type: RecordType): Promise<DnsAnswer> {
    const leftMs = this.#deadline.remainingMs()
    if (leftMs === 0) return { failure: 'ETIMEOUT' }
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<DnsAnswer>((resolve) => {
      timer = setTimeout(() => resolve({ failure: 'ETIMEOUT' }), leftMs)
    })
    try {
      return await Promise.race([this.#dns.resolve(name, type), late])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** What was answered once, answered again: nobody is asked. */
export function recordedDns(answers: readonly DnsEvidence[]): Dns {
  const known = new Map(answers.map((answer) => [keyOf(answer.name, answer.rrtype), answer]))
  return {
    servers: [],
    resolve: async (name, type) => {
      const { records, failure } = known.get(keyOf(name, type)) ?? {}
      return records ? { records } : { failure: failure ?? 'ENOTRECORDED' }
    },
  }
}

function mayCome({ failure }: DnsEvidence): boolean {
  return !LASTING.has(failure) && failure !== TOO_MANY && failure !== TOO_LARGE
}

function bounded(answer: DnsAnswer): DnsAnswer {
  const characters = answer.records?.reduce((sum, record) => sum + record.length, 0) ?? 0
  return characters > AUTHENTICATION.answerCharacters ? { failure: TOO_LARGE } : answer
}

function exchanger(record: string): { readonly priority: number; readonly exchange: string } {
  const [priority, exchange = ''] = record.split(' ')
  return { priority: Number(priority), exchange }
}

function keyOf(name: string, type: string): string {
  return `${name.toLowerCase()} ${type}`
}
