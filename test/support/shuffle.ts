import { seededRandom } from './random.ts'

/** Pauses of a few turns each, by which a seed shuffles what runs at the same time. */
export function shuffle(seed: number): () => Promise<void> {
  const next = seededRandom(seed)
  return async () => {
    for (let turns = Math.floor(next() * 6); turns > 0; turns--) await new Promise(setImmediate)
  }
}
