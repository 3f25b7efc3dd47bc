import { queuesOf, type RouteConfig } from './contract/routes.ts'
import { allHold, type Judgement, judge, type RoutedMessage } from './route-conditions.ts'

/** The queue of messages that no route wants, and of events about a mailbox. */
export const DEFAULT_QUEUE = 'default'

/** A route before a message: whether it is looked at, whether it is taken, and why. */
export interface RouteJudgement {
  readonly route: RouteConfig
  /** False when a route before it took the message and does not continue. */
  readonly reached: boolean
  readonly taken: boolean
  readonly conditions: readonly Judgement[]
}

/** The routes that a message takes: the first of which every condition holds, and the next ones while those taken continue. */
export function routesTaken(routes: readonly RouteConfig[], message: RoutedMessage): readonly RouteConfig[] {
  const taken: RouteConfig[] = []
  for (const route of routes) {
    if (!allHold(judge(route.when, message))) continue
    taken.push(route)
    if (!route.continue) break
  }
  return taken
}

/** The queues that a message is announced on, each once, in the order of its routes; `default` when it takes none. */
export function queuesTaken(taken: readonly RouteConfig[]): readonly string[] {
  return taken.length === 0 ? [DEFAULT_QUEUE] : [...new Set(taken.flatMap(queuesOf))]
}

/** Every route before a message, also those that it does not come to. */
export function explainRoutes(
  routes: readonly RouteConfig[],
  message: RoutedMessage,
): readonly RouteJudgement[] {
  const taken = routesTaken(routes, message)
  const last = taken.at(-1)
  const end = last && !last.continue ? routes.indexOf(last) : routes.length
  return routes.map((route, index) => ({
    route,
    reached: index <= end,
    taken: taken.includes(route),
    conditions: [...judge(route.when, message)],
  }))
}
