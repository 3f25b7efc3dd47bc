import type { Obstacle } from '../../shared/operations/obstacles.ts'
import { countOf, countText } from './output.ts'

/** For people: what keeps a message. */
export function obstacleText(obstacle: Obstacle): string {
  switch (obstacle.kind) {
    case 'retention':
      return `kept${obstacle.mode ? ` in ${obstacle.mode} mode` : ''} until ${obstacle.until}`
    case 'policy':
      return `kept for ${obstacle.days} days by configuration, until ${obstacle.until}`
    case 'legal-hold':
      return obstacle.cases.length > 0
        ? `held for ${obstacle.cases.join(', ')}`
        : 'under a legal hold that is of no case'
    case 'not-announced':
      return 'not announced yet'
    case 'gone':
      return 'not in the archive'
  }
}

const WORDS: Readonly<Record<Obstacle['kind'], string>> = {
  retention: 'kept by their retention',
  policy: 'kept by configuration',
  'legal-hold': 'under a legal hold',
  'not-announced': 'not announced yet',
  gone: 'not in the archive',
}

/** Counts messages by what keeps them; one that is kept by two things counts for both. */
export class ObstacleTally {
  #free = 0
  readonly #kept = new Map<Obstacle['kind'], number>()

  add(obstacles: readonly Obstacle[]): void {
    if (obstacles.length === 0) this.#free++
    for (const kind of new Set(obstacles.map((each) => each.kind)))
      this.#kept.set(kind, (this.#kept.get(kind) ?? 0) + 1)
  }

  text(free: string): string {
    const kept = [...this.#kept].map(([kind, count]) => `${countText(count)} ${WORDS[kind]}`)
    return [`${countOf(this.#free, 'message')} ${free}`, ...kept].join(', ')
  }
}
