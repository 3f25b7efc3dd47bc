import type { Retention } from './archive.ts'

const DAY_MS = 86_400_000

/** To the second, as S3 keeps it. */
export function retainUntil(from: number, { days }: Retention): Date {
  return new Date(Math.floor((from + days * DAY_MS) / 1000) * 1000)
}
